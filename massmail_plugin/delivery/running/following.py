"""The state of a mailing follows what becomes of its mails."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.ledger import routes
from massmail_plugin.mailings.models import Mailing, Run
from massmail_plugin.mailings.states import OPEN, RUNNING, DeliveryState, MailingState, move


def follow(run: Run) -> None:
    """Let the mailing's state say how its run is doing: well, with trouble, or not at all."""
    here = Mailing.objects.filter(pk=run.mailing_id, state__in=RUNNING)
    if not routes.has_takers(run) and run.deliveries.filter(state__in=OPEN).exists():
        move(here, MailingState.INTERRUPTED, notice=_no_taker(run))
        return
    fitting = MailingState.ACTIVE_ERROR if _is_in_trouble(run) else MailingState.ACTIVE
    if run.mailing.state != fitting:
        move(here.filter(state=run.mailing.state), fitting)


def _is_in_trouble(run: Run) -> bool:
    """Return whether somebody should look, although mails are leaving."""
    in_trouble = (DeliveryState.FAILED, DeliveryState.IN_DOUBT)
    if run.deliveries.filter(state__in=in_trouble).exists():
        return True
    return stopped_accounts_of(run).exists() and run.deliveries.filter(state__in=OPEN).exists()


def stopped_accounts_of(run: Run) -> QuerySet[SenderAccount]:
    """Return the accounts of ``run`` that a fault has stopped."""
    return run.accounts().filter(state=SenderAccount.State.FAULTY)


def _no_taker(run: Run) -> str:
    """Return what to say when no ready account may send what is left of ``run``."""
    if routes.accounts_of(run).exists():
        return _(
            "Only your main account is ready, and it sends only to VIP recipients. Switch on or mend another account, "
            "then press Resume."
        )
    return _(
        "No sender account is ready any more. Mend one that has stopped or switch one on, then press Resume."
    )
