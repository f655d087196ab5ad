"""Runs: content and audience of a mailing as they were when it started."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.compiled import LINK_LIMIT
from massmail_plugin.mailings.models.mailing import Mailing
from massmail_plugin.mailings.states import RUNNING
from massmail_plugin.recipients.consent import Scope


class Run(models.Model):
    """One start of a mailing: content and audience as they were at that moment."""

    mailing = models.ForeignKey(Mailing, on_delete=models.PROTECT, related_name="runs")
    #: ``CompiledContent.to_json()``: later changes of the template change nothing here.
    content = models.TextField()
    #: The lists it goes to, as consent scopes: {"list:7": "Customers"}. Who has left one of them gets nothing.
    list_scopes = models.JSONField(default=dict)
    #: The segments that were live in those lists, by key: who has left one of them gets nothing either.
    live_scopes = models.JSONField(default=list)
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
        running = Run.objects.filter(finished_at=None, frozen_at__isnull=False, mailing__state__in=RUNNING)
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
