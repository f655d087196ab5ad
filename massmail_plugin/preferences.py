"""What editors may change without a deployment; one row for the whole installation."""

from __future__ import annotations

from typing import Any

import idna
from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel
from wagtail.admin.panels import FieldPanel, FieldRowPanel, InlinePanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseGenericSetting, register_setting

from massmail_plugin import conf


@register_setting(icon="mail")
class MailPreferences(ClusterableModel, BaseGenericSetting):
    """Settings › Mass mailing."""

    class WhoseRecords(models.TextChoices):
        """Whose contacts somebody may mail; see ``recipients.ownership``."""

        EVERYBODYS = "everybodys", _("Everybody's")
        DEPARTMENTS = "departments", _("Their own, and those of their departments")
        OWN = "own", _("Only their own")

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
    per_hour_limit = models.PositiveIntegerField(
        _("mails an hour, all accounts together"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("In any 60 minutes. Empty: no limit but those of the accounts."),
    )
    per_batch_limit = models.PositiveIntegerField(
        _("mails in one go"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_(
            "How many mails of one mailing leave through an account in one go, which comes once a minute. "
            "Empty: as many as it can."
        ),
    )

    whose_records = models.CharField(
        _("whose contacts people may mail"),
        max_length=12,
        choices=WhoseRecords.choices,
        default=WhoseRecords.EVERYBODYS,
        help_text=_(
            "Other people's contacts cannot be put in lists, and mailings leave them out. Administrators, and groups "
            "with the permission for it, mail everybody's."
        ),
    )
    departments = ParentalManyToManyField(
        Group,
        blank=True,
        related_name="+",
        verbose_name=_("departments"),
        help_text=_(
            "Groups whose people share campaigns and mailings, and do not see those of other departments."
        ),
    )

    panels = [
        MultiFieldPanel(["public_base_url", "postal_address"], heading=_("Sender")),
        MultiFieldPanel(["mandatory_opt_out_link", "track_clicks", "track_opens"], heading=_("Every mail")),
        MultiFieldPanel([FieldRowPanel(["per_hour_limit", "per_batch_limit"])], heading=_("How much")),
        MultiFieldPanel(
            [FieldPanel("departments", widget=forms.CheckboxSelectMultiple), "whose_records"],
            heading=_("Who works with what"),
        ),
        InlinePanel(
            "domain_limits",
            heading=_("Limits for recipients' providers"),
            label=_("Limit"),
            help_text=_("For providers that refuse mails when too many come at once."),
            panels=[FieldRowPanel([FieldPanel("domain"), FieldPanel("per_hour")])],
        ),
        InlinePanel(
            "holidays",
            heading=_("Holidays"),
            label=_("Holiday"),
            help_text=_("On these days nothing leaves through accounts that send only in working hours."),
            panels=[FieldRowPanel([FieldPanel("date"), FieldPanel("name")])],
        ),
    ]

    class Meta:
        verbose_name = _("mass mailing")

    def clean(self) -> None:
        super().clean()
        # The form has put what was ticked into the instance already.
        if self.whose_records == self.WhoseRecords.DEPARTMENTS and not self.departments.all():
            message = _("Tick the departments first, or choose something else.")
            raise ValidationError({"whose_records": message})

    @property
    def base_url(self) -> str:
        """The address that every public link starts with, without a final slash; may be empty."""
        url = conf.get("BASE_URL") or self.public_base_url or getattr(settings, "WAGTAILADMIN_BASE_URL", "")
        return str(url).rstrip("/")


class _DomainFormField(forms.CharField):
    """Normalises in the form already, so that one domain in two spellings is told there."""

    def to_python(self, value: Any) -> str:
        return normalised_domain(super().to_python(value) or "")


class DomainField(models.CharField):
    """A domain in lower case and as A-labels: as in the envelopes that it is compared with."""

    def to_python(self, value: Any) -> Any:
        return normalised_domain(super().to_python(value) or "")

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(form_class=_DomainFormField, **kwargs)


def normalised_domain(text: str) -> str:
    """Return the domain that somebody has entered, as it stands in envelopes. Raises ``ValidationError``."""
    try:
        return idna.encode(text.strip().lstrip("@"), uts46=True).decode().lower() if text else ""
    except idna.IDNAError as error:
        raise ValidationError(_("This is not a domain. Example: gmail.com")) from error


class Holiday(models.Model):
    """A day on which accounts with working hours rest."""

    preferences = ParentalKey(MailPreferences, on_delete=models.CASCADE, related_name="holidays")
    date = models.DateField(_("date"))
    name = models.CharField(_("name"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["date"]
        constraints = [
            models.UniqueConstraint(fields=["preferences", "date"], name="massmail_holiday_once_per_date")
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.name}".strip()


class DomainLimit(models.Model):
    """How many mails the addresses of one domain may get in an hour, through all accounts together."""

    preferences = ParentalKey(MailPreferences, on_delete=models.CASCADE, related_name="domain_limits")
    domain = DomainField(
        _("domain"), max_length=253, help_text=_("What stands after the @, for example gmail.com.")
    )
    per_hour = models.PositiveIntegerField(_("mails an hour"), validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = _("limit for a domain")
        verbose_name_plural = _("limits for domains")
        ordering = ["domain"]
        constraints = [
            models.UniqueConstraint(fields=["preferences", "domain"], name="massmail_limit_once_per_domain")
        ]

    def __str__(self) -> str:
        return f"{self.domain}: {self.per_hour}"


def load() -> MailPreferences:
    """Return the preferences, with their defaults if nobody has saved any."""
    return MailPreferences.load()
