from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class MassmailConfig(AppConfig):
    name = "massmail_plugin"
    label = "massmail_plugin"
    verbose_name = _("Mass mailing")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Host projects say who can be mailed in a ``massmail.py`` beside their models.
        autodiscover_modules("massmail")

        # After the host's types: theirs are offered first.
        from massmail_plugin import checks, signal_handlers
        from massmail_plugin.recipients import subscribers

        subscribers.register_type()
        checks.register_checks()
        signal_handlers.register_signal_handlers()
