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
        _register_behaviours()


def _register_behaviours() -> None:
    """What segments may ask about mails, in the order in which their form shows it."""
    from massmail_plugin.audience.segments import behaviour
    from massmail_plugin.feedback.mail_reaction import MailReaction
    from massmail_plugin.mailings.mail_history import MailHistory

    behaviour.register(MailHistory)
    behaviour.register(MailReaction)
