"""The ledger: a row for every mail, and for everybody who got none."""

from __future__ import annotations

from typing import Any

from django.db import models, router
from django.utils.translation import gettext_lazy as _

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.exact_text import ExactCharField
from massmail_plugin.mailings.models.run import Run
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress


class Ledger(models.Manager["Delivery"]):
    """The deliveries where they are written: a host's router may send other questions to a replica, which is behind.

    For whatever decides what is sent, and how much.
    """

    def get_queryset(self) -> models.QuerySet[Delivery]:
        return super().get_queryset().using(router.db_for_write(self.model))


#: What a row says of somebody who was erased, besides the number of the record.
WORDLESS = {"name": "", "email": "", "envelope": "", "detail": ""}


class Delivery(models.Model):
    """The ledger: the truth about every mail of a run, and about everybody who was left out of it.

    Rows with an address are mails, at most one per run and address. Rows without one are people of the
    lists who cannot have a mail of their own (no address, malformed, duplicate); they are always skipped.
    """

    # Both without an index of their own, since a constraint begins with each: whenever a mail's state changes,
    # PostgreSQL writes all indexes of its row anew.
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    address = models.ForeignKey(
        EmailAddress, null=True, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
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
        # The index with the time begins with it.
        db_index=False,
    )
    #: The provider's own name for the mail, which its webhooks use.
    provider_id = ExactCharField(max_length=255, blank=True)
    handed_at = models.DateTimeField(_("sent"), null=True)

    objects = models.Manager()
    ledger = Ledger()

    add_to_reference_index = False

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["address", "run"], name="massmail_one_mail_per_address"),
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
