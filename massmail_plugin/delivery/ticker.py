"""The tick: what has to happen each minute, and soon after anybody presses a button."""

from __future__ import annotations

from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery import ledger
from massmail_plugin.delivery.sweeper import sweep
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing, Run
from massmail_plugin.mailings.states import OPEN, RUNNING, DeliveryState, MailingState, move


def run_tick() -> list[int]:
    """Take up dead workers' mails, start due mailings, follow their states. Returns the accounts with work."""
    sweep()
    actions.start_due()
    actions.finish_runs()
    actions.reopen_runs()
    for run in Run.objects.filter(finished_at=None, mailing__state__in=RUNNING).select_related("mailing"):
        _follow(run)
    ready = SenderAccount.objects.filter(state=SenderAccount.State.READY)
    return [account.pk for account in ready if ledger.due(account).exists()]


def _follow(run: Run) -> None:
    """Let the mailing's state say how its run is doing."""
    here = Mailing.objects.filter(pk=run.mailing_id, state__in=RUNNING)
    if not ledger.accounts_of(run).exists() and run.deliveries.filter(state__in=OPEN).exists():
        notice = _(
            "No sender account is ready any more. Mend the account that has stopped, then press Resume."
        )
        move(here, MailingState.INTERRUPTED, notice=notice)
        return
    in_trouble = (DeliveryState.FAILED, DeliveryState.IN_DOUBT)
    if run.mailing.state == MailingState.ACTIVE and run.deliveries.filter(state__in=in_trouble).exists():
        move(here.filter(state=MailingState.ACTIVE), MailingState.ACTIVE_ERROR)
