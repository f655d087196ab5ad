"""Campaigns, their mailings, and the ledger of every mail."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.sources import Source
from massmail_plugin.content.compiled import LINK_LIMIT
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.exact_text import ExactCharField
from massmail_plugin.mailings.states import RUNNING, DeliveryState, MailingState
from massmail_plugin.recipients.consent import Scope
from massmail_plugin.recipients.departments import former_departments
from massmail_plugin.recipients.models import EmailAddress


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


class Mailing(models.Model):
    """One template to the campaign's lists, from a start time on, through its owner's accounts."""

    class InDoubt(models.TextChoices):
        """What becomes of a mail of which nobody can say whether it left."""

        #: At most once.
        HOLD = "hold", _("Hold them until somebody decides: nobody gets two mails")
        #: At least once.
        RESEND = "resend", _("Send them again by itself: nobody is left without a mail")

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="mailings", verbose_name=_("campaign")
    )
    name = models.CharField(_("name"), max_length=150)
    # A mailing must never vanish with its template, so the template is protected.
    template = models.ForeignKey(
        EmailTemplate,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="mailings",
        verbose_name=_("template"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="massmailings",
        verbose_name=_("owner"),
        help_text=_("The mails leave through this person's accounts."),
    )
    start_at = models.DateTimeField(
        _("start"), null=True, blank=True, help_text=_("Empty: as soon as you press Send.")
    )
    opt_out_entirely = models.BooleanField(
        _("The opt-out link ends all mailings"),
        default=False,
        help_text=_(
            "Ticked: whoever uses the opt-out link gets no mailing again. Not ticked: they leave this campaign's lists."
        ),
    )
    in_doubt = models.CharField(
        _("mails in doubt"),
        max_length=6,
        choices=InDoubt.choices,
        default=InDoubt.HOLD,
        help_text=_(
            "When the connection breaks in the moment of sending, nobody can say whether the mail left. "
            "Held, it may be missing until you decide. Sent again, some people may get it twice."
        ),
    )
    in_batches = models.BooleanField(
        _("several mails in one call to the provider"),
        default=False,
        help_text=_(
            "Faster, for accounts that are set up for it. If a call breaks off, all of its mails are in doubt, and not "
            "only one."
        ),
    )
    state = models.CharField(
        _("status"), max_length=12, choices=MailingState.choices, default=MailingState.DRAFT, editable=False
    )
    #: What went wrong last, for people; empty when all is well.
    notice = models.TextField(_("notice"), blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("mailing")
        verbose_name_plural = _("mailings")
        ordering = ["-created_at", "-pk"]
        permissions = [
            ("send_mailing", "Can start, pause, resume and cancel mailings"),
            ("send_test_mailing", "Can send test mails"),
            ("mail_everybodys_records", "Can mail everybody's contacts"),
            ("work_for_every_department", "Can see and use what belongs to any department"),
        ]
        indexes = [models.Index(fields=["state", "start_at"], name="massmail_mailing_due")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.start_at and self.state == MailingState.DRAFT and self.start_at < timezone.now():
            raise ValidationError(
                {
                    "start_at": _(
                        "This time has passed. Choose a later one, or leave it empty to start at once."
                    )
                }
            )


class Run(models.Model):
    """One start of a mailing: content and audience as they were at that moment."""

    mailing = models.ForeignKey(Mailing, on_delete=models.PROTECT, related_name="runs")
    #: ``CompiledContent.to_json()``: later changes of the template change nothing here.
    content = models.TextField()
    #: The lists it goes to, as consent scopes: {"list:7": "Customers"}. Who has left one of them gets nothing.
    list_scopes = models.JSONField(default=dict)
    #: Whether the opt-out link in these mails means all mailings, and not only those lists.
    opt_out_entirely = models.BooleanField(default=False)
    #: Whether its mails leave through its owner's own accounts, and not through everybody's. Frozen: when those
    #: stop or are deleted, a person decides whether the rest may come from another address.
    own_accounts = models.BooleanField(default=False)
    #: What its ledger holds, so that a claim asks for nothing else: any VIPs, and which preferred accounts.
    has_vips = models.BooleanField(default=False)
    preferred_accounts = models.JSONField(default=list)
    #: The last candidate in the ledger, while it is being written; when it was whole. Nothing is sent before that.
    copied_to = models.BigIntegerField(default=0)
    frozen_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.mailing_id}/{self.pk}"

    def accounts(self) -> models.QuerySet[SenderAccount]:
        """Return the accounts that its mails may leave through, whatever state they are in."""
        if not self.own_accounts:
            return SenderAccount.objects.filter(owner=None)
        if self.mailing.owner_id is None:
            # The owner was deleted, and the accounts with them: what is everybody's is not the owner's own.
            return SenderAccount.objects.none()
        return SenderAccount.objects.filter(owner=self.mailing.owner_id)

    @staticmethod
    def through_accounts_of(owner_id: int | None) -> models.QuerySet[Run]:
        """Return the running runs whose mails leave through this owner's accounts; None: through everybody's."""
        running = Run.objects.filter(finished_at=None, mailing__state__in=RUNNING)
        if owner_id is None:
            return running.filter(own_accounts=False)
        return running.filter(own_accounts=True, mailing__owner_id=owner_id)

    @property
    def opt_out_scopes(self) -> list[Scope]:
        """What the opt-out link in these mails opts out of."""
        if self.opt_out_entirely:
            return [Scope()]
        return [Scope(key, label) for key, label in self.list_scopes.items()]


class TrackedLink(models.Model):
    """A destination in a run's mails whose clicks are counted; stored, so that no URL in a mail can be bent."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="links")
    number = models.PositiveIntegerField()
    #: The tracking URL's slug; empty for a plain link of the template.
    slug = models.CharField(max_length=50, blank=True)
    url = models.CharField(max_length=LINK_LIMIT)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("tracked link")
        verbose_name_plural = _("tracked links")
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="massmail_link_number_once_per_run")
        ]

    def __str__(self) -> str:
        return self.slug or self.url


class Delivery(models.Model):
    """The ledger: the truth about every mail of a run, and about everybody who was left out of it.

    Rows with an address are mails, at most one per run and address. Rows without one are people of the
    lists who cannot have a mail of their own (no address, malformed, duplicate); they are always skipped.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="deliveries")
    address = models.ForeignKey(EmailAddress, null=True, on_delete=models.PROTECT, related_name="deliveries")
    recipient_type = models.CharField(_("type"), max_length=100)
    object_id = ExactCharField(max_length=64)
    name = models.CharField(_("name"), max_length=255, blank=True)
    #: The address as it was in the record; ``envelope`` is what RCPT TO gets.
    email = models.CharField(_("address"), max_length=320, blank=True)
    envelope = models.CharField(max_length=254, blank=True)
    #: Key of the first list or segment that brought this person in; its title is in the run's ``list_scopes``.
    source = models.CharField(_("through"), max_length=80, blank=True)

    state = models.CharField(
        _("status"), max_length=10, choices=DeliveryState.choices, default=DeliveryState.QUEUED
    )
    reason = models.CharField(_("reason"), max_length=20, choices=Reason.choices, blank=True)
    #: The server's answer, or more about the reason.
    detail = models.CharField(_("detail"), max_length=1000, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(null=True)
    claim_token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    #: When it counts against its account's limits: the end of its lease while it is in flight, afterwards the time
    #: of its fence. Empty: it was not sent.
    paced_at = models.DateTimeField(null=True)
    #: When nobody could say any more whether it had left. Stays when it is sent again: it may have left before.
    doubted_at = models.DateTimeField(null=True)
    #: Frozen from the recipient type: only these go through a main account.
    vip = models.BooleanField(default=False)
    #: The account that this person is used to; empty: whichever comes first. Only a wish: that of a deleted account
    #: stays. A constraint would have each freeze lock the accounts' rows, and their claims wait for its end.
    preferred_account = models.ForeignKey(
        SenderAccount,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    account = models.ForeignKey(
        SenderAccount,
        null=True,
        on_delete=models.SET_NULL,
        related_name="deliveries",
        verbose_name=_("account"),
        # The index with the time begins with it; each change of a mail's state writes all indexes anew (PostgreSQL).
        db_index=False,
    )
    #: The provider's own name for the mail, which its webhooks use.
    provider_id = ExactCharField(max_length=255, blank=True)
    handed_at = models.DateTimeField(_("sent"), null=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "address"], name="massmail_one_mail_per_address"),
            models.UniqueConstraint(
                fields=["run", "recipient_type", "object_id"], name="massmail_one_row_per_record"
            ),
        ]
        indexes = [
            # A claim reads the next mails of a run from it, and neither sorts nor passes over any: see routes.lanes.
            models.Index(
                fields=["run", "state", "vip", "preferred_account", "next_attempt_at", "id"],
                name="massmail_delivery_lane",
            ),
            models.Index(fields=["account", "paced_at"], name="massmail_delivery_paced"),
            models.Index(fields=["state", "lease_until"], name="massmail_delivery_lease"),
            models.Index(fields=["provider_id"], name="massmail_delivery_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    @property
    def source_label(self) -> str:
        """The title of the list or segment that brought this person in, as it was at the start."""
        label: str = self.run.list_scopes.get(self.source, "")
        return label

    def get_reason_sentence(self) -> str:
        """Why this person got no mail, in one line; empty for the others."""
        label: Any = Reason(self.reason).label if self.reason else ""
        return f"{label}: {self.detail}" if label and self.detail else str(label or self.detail)
