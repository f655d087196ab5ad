"""Campaigns, and the destinations that their mails count clicks on."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel

from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.sources import Source
from massmail_plugin.content.compiled import LINK_LIMIT
from massmail_plugin.recipients.departments import former_departments


class Campaign(ClusterableModel):
    """One purpose, its audience, its tracking URLs and its mailings."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("Email")
        NEWSLETTER = "newsletter", _("Newsletter")

    name = models.CharField(_("name"), max_length=150)
    kind = models.CharField(
        _("type"),
        max_length=12,
        choices=Kind.choices,
        default=Kind.NEWSLETTER,
        help_text=_(
            "A newsletter is marked as mail to a list, so that mail programs can sort it and send no automatic "
            "answers. An email is not."
        ),
    )
    target_lists = ParentalManyToManyField(
        TargetListPage,
        blank=True,
        related_name="campaigns",
        verbose_name=_("target lists"),
        help_text=_("The mailings of this campaign go to everybody in these lists, each address once."),
    )
    excluded_lists = ParentalManyToManyField(
        TargetListPage,
        blank=True,
        related_name="campaigns_excluding",
        verbose_name=_("excluded lists"),
        help_text=_("Nobody in these lists gets a mail, under any record with the same address."),
    )
    segments = ParentalManyToManyField(
        Segment,
        blank=True,
        related_name="campaigns",
        verbose_name=_("segments"),
        help_text=_("Whoever is in these segments when a mailing starts gets it, each address once."),
    )
    excluded_segments = ParentalManyToManyField(
        Segment,
        blank=True,
        related_name="campaigns_excluding",
        verbose_name=_("excluded segments"),
        help_text=_("Nobody in these segments gets a mail, under any record with the same address."),
    )
    excluded_mailings = ParentalManyToManyField(
        "massmail_plugin.Mailing",
        blank=True,
        related_name="campaigns_excluding",
        verbose_name=_("not to who already got"),
        help_text=_(
            "Whoever already got one of these mailings, under any record with the same address, gets no mail."
        ),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("owner"),
    )
    department = models.ForeignKey(
        Group,
        null=True,
        blank=True,
        on_delete=models.SET(former_departments),
        related_name="+",
        verbose_name=_("department"),
        help_text=_(
            "Only its people see the campaign and its mailings, and work on them. Empty: everybody's."
        ),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    def sources(self) -> list[Source]:
        """Return what its mailings go to, in the order in which people are taken from them."""
        return [*self.target_lists.all(), *self.segments.all()]

    def excluded_sources(self) -> list[Source]:
        """Return what keeps people out of its mailings; ``excluded_mailings`` do as well."""
        return [*self.excluded_lists.all(), *self.excluded_segments.all()]


class TrackingUrl(models.Model):
    """A named destination whose clicks are counted; templates use it as ``{{ tracking.slug }}``."""

    campaign = ParentalKey(Campaign, on_delete=models.CASCADE, related_name="tracking_urls")
    slug = models.CharField(
        _("name in templates"),
        max_length=50,
        validators=[
            RegexValidator(
                r"^[a-z][a-z0-9_]*$", _("Use small letters, digits and underscores, for example “demo”.")
            )
        ],
        help_text=_("A link to {{ tracking.demo }} leads here if the name is “demo”."),
    )
    url = models.CharField(
        _("leads to"), max_length=LINK_LIMIT, validators=[URLValidator(schemes=["http", "https"])]
    )

    class Meta:
        verbose_name = _("tracking URL")
        verbose_name_plural = _("tracking URLs")
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "slug"], name="massmail_tracking_slug_once_per_campaign"
            ),
        ]

    def __str__(self) -> str:
        return self.slug
