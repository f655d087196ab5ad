"""What editors may change without a deployment; one row for the whole installation."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import MultiFieldPanel
from wagtail.contrib.settings.models import BaseGenericSetting, register_setting

from massmail_plugin import conf


@register_setting(icon="mail")
class MailPreferences(BaseGenericSetting):
    """Settings › Mass mailing."""

    public_base_url = models.CharField(
        _("public address of this site"),
        max_length=255,
        blank=True,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text=_(
            "Links in mails start with it, for example https://www.example.com. "
            "Empty: the address in the project's settings."
        ),
    )
    postal_address = models.TextField(
        _("postal address of the sender"),
        blank=True,
        help_text=_("Printed at the foot of every mail. Many laws ask for it."),
    )
    mandatory_opt_out_link = models.BooleanField(
        _("add an opt-out link to every mail that has none"), default=True
    )
    track_clicks = models.BooleanField(
        _("count clicks"), default=True, help_text=_("Links in mails lead through this site.")
    )
    track_opens = models.BooleanField(
        _("count opens"),
        default=False,
        help_text=_(
            "Adds an invisible picture to every mail. Unreliable, and in many countries only lawful with consent."
        ),
    )

    panels = [
        MultiFieldPanel(["public_base_url", "postal_address"], heading=_("Sender")),
        MultiFieldPanel(["mandatory_opt_out_link", "track_clicks", "track_opens"], heading=_("Every mail")),
    ]

    class Meta:
        verbose_name = _("mass mailing")

    @property
    def base_url(self) -> str:
        """The address that every public link starts with, without a final slash; may be empty."""
        url = conf.get("BASE_URL") or self.public_base_url or getattr(settings, "WAGTAILADMIN_BASE_URL", "")
        return str(url).rstrip("/")


def load() -> MailPreferences:
    """Return the preferences, with their defaults if nobody has saved any."""
    return MailPreferences.load()
