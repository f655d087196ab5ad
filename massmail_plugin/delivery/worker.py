"""One worker: claims mails of one account, hands them over, records what is known."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext as _

from massmail_plugin import conf
from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.content.compiled import RenderFailed
from massmail_plugin.delivery import ledger
from massmail_plugin.delivery.prepared import Prepared
from massmail_plugin.delivery.transports import transport_for
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, Transport, Verdict
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState

logger = logging.getLogger("massmail_plugin.delivery")

#: Seconds before the second, third... attempt after a temporary refusal. RFC 5321 4.5.4.1 asks for some
#: patience; greylisting servers want five minutes.
BACK_OFF = (300, 1200, 3600)

#: So many temporary refusals one after the other end a turn.
REFUSALS_IN_A_ROW = 5

#: What a person has to mend before the account may go on.
_STOPS_ACCOUNT = (Verdict.ACCOUNT, Verdict.POLICY)
#: What ends only this turn, until the next tick. A doubt too: a provider that answers each mail with an error must
#: not put a whole list in doubt while it is down.
_STOPS_TURN = (Verdict.UNREACHABLE, Verdict.DOUBT)


@dataclass(slots=True)
class Drained:
    """What one pass did."""

    handled: int = 0
    #: There is more to do for this account, now.
    more: bool = False
    #: Why it stopped early, for people; empty if it did not.
    stopped: str = ""
    #: Temporary refusals since the last mail that was not refused.
    refused_in_a_row: int = 0

    def too_many_refusals(self, outcome: Outcome | None) -> str:
        """Return why to stop if one recipient after the other is refused for now: then it is the server's trouble.

        A server that is out of order for half an hour must not use up the attempts of a whole list.
        """
        is_refused = outcome is not None and outcome.verdict is Verdict.TEMPORARY
        self.refused_in_a_row = self.refused_in_a_row + 1 if is_refused else 0
        return outcome.reply if outcome and self.refused_in_a_row >= REFUSALS_IN_A_ROW else ""


def drain(account_id: int, *, seconds: float | None = None) -> Drained:
    """Send what is due through one account, for about ``seconds`` (default SLICE_SECONDS)."""
    result = Drained()
    account = SenderAccount.objects.filter(pk=account_id, state=SenderAccount.State.READY).first()
    if account is None:
        return result
    end = time.monotonic() + (conf.get("SLICE_SECONDS") if seconds is None else seconds)
    with transport_for(account) as transport:
        while claimed := ledger.claim(account, conf.get("CLAIM_SIZE")):
            _hand_over_all(account, transport, claimed, end, result)
            if result.stopped or time.monotonic() >= end:
                break
    # Nothing handled although something is due: another worker is at it.
    result.more = bool(result.handled) and not result.stopped and ledger.due(account).exists()
    return result


def _hand_over_all(
    account: SenderAccount, transport: Transport, claimed: list[Delivery], end: float, result: Drained
) -> None:
    """Hand over the claimed mails one by one; whatever happens, those not reached are given back."""
    waiting = list(claimed)
    try:
        transport.open()
        prepared = Prepared(claimed)
        # One at least, or a server that takes longer to greet than a slice lasts would never get any.
        while waiting and not result.stopped:
            # Taken out first: if this one kills the worker, its attempt must count, or it would do so for ever.
            outcome = _hand_over(account, transport, prepared, waiting.pop(0))
            result.handled += 1
            result.stopped = _stop_reason(account, outcome) or result.too_many_refusals(outcome)
            if time.monotonic() >= end:
                break
    except CannotOpen as error:
        result.stopped = _stop_reason(account, error.outcome)
    except Exception as error:
        # Our own mistake or the database's; the owner must not wait without a word.
        faults.note(account, f"{type(error).__name__}: {error}")
        raise
    finally:
        # Also for SystemExit, which is what django-q2 raises when a task is out of time.
        ledger.give_back(waiting)


def _hand_over(
    account: SenderAccount, transport: Transport, prepared: Prepared, delivery: Delivery
) -> Outcome | None:
    """Hand over one mail and record the outcome. Returns None if it was not tried."""
    if fault := prepared.fault(delivery):
        _record(delivery, Outcome(Verdict.TEMPORARY, fault))
        return None
    if reason := prepared.changed_since_start(delivery):
        ledger.skip(delivery, reason)
        return None
    try:
        mail = prepared.compose(account, delivery)
    except (OperationalError, InterfaceError):
        raise  # The database is busy or away; the mail is as good as before.
    except Exception as error:
        # The host's own properties run here and may raise anything; that must stop nobody else's mail.
        if not isinstance(error, RenderFailed):
            logger.exception("Delivery %s could not be composed", delivery.pk)
        ledger.settle(delivery, DeliveryState.FAILED, detail=f"{type(error).__name__}: {error}")
        return None
    delivery.message_id = mail.message.extra_headers["Message-ID"]
    outcome = transport.deliver(mail, lambda: ledger.commit_to_send(delivery))
    _record(delivery, outcome)
    return outcome


def _record(delivery: Delivery, outcome: Outcome) -> None:
    """Write to the ledger what is known now."""
    match outcome.verdict:
        case Verdict.ACCEPTED:
            ledger.settle(
                delivery, DeliveryState.ACCEPTED, detail=outcome.reply, provider_id=outcome.provider_id
            )
        case Verdict.RECIPIENT:
            ledger.settle(delivery, DeliveryState.FAILED, detail=outcome.reply)
        case Verdict.DOUBT:
            ledger.settle(delivery, DeliveryState.IN_DOUBT, detail=outcome.reply)
        case Verdict.TEMPORARY | Verdict.POLICY if delivery.attempts >= conf.get("MAX_ATTEMPTS"):
            ledger.settle(delivery, DeliveryState.FAILED, detail=outcome.reply)
        case Verdict.TEMPORARY | Verdict.POLICY:
            wait = BACK_OFF[min(delivery.attempts - 1, len(BACK_OFF) - 1)]
            ledger.defer(delivery, detail=outcome.reply, seconds=wait)
        case Verdict.FENCED:
            _record_fenced(delivery)
        case Verdict.UNREACHABLE | Verdict.ACCOUNT:
            ledger.take_back(delivery)


def _record_fenced(delivery: Delivery) -> None:
    """The fence refused: the recipient said no, the mailing or the account was stopped, or the claim is lost."""
    delivery.address.refresh_from_db()  # type: ignore[union-attr]
    address = delivery.address
    assert address is not None
    if address.complained_since:
        ledger.skip(delivery, Reason.COMPLAINED)
    elif address.opted_out_since:
        ledger.skip(delivery, Reason.OPTED_OUT)
    elif address.invalid_since:
        ledger.skip(delivery, Reason.INVALID)
    elif address.list_opt_outs.filter(scope__in=list(delivery.run.list_scopes)).exists():
        ledger.skip(delivery, Reason.OPTED_OUT_LIST)
    elif Mailing.objects.filter(pk=delivery.run.mailing_id, state=MailingState.CANCELLED).exists():
        ledger.settle(delivery, DeliveryState.CANCELLED)
    else:
        ledger.give_back([delivery])


def _stop_reason(account: SenderAccount, outcome: Outcome | None) -> str:
    """Return why the account must stop now, noting its fault; the empty text means: go on."""
    if outcome is not None and outcome.verdict is Verdict.FENCED:
        now = SenderAccount.objects.filter(pk=account.pk).first()
        if now is None:
            return _("The account was deleted.")
        return "" if now.is_ready else str(now.get_state_display())
    if outcome is None or outcome.verdict not in (*_STOPS_ACCOUNT, *_STOPS_TURN):
        return ""
    if outcome.verdict in _STOPS_ACCOUNT:
        faults.stop(account, outcome.reply)
    else:
        faults.note(account, outcome.reply)
    return outcome.reply or outcome.verdict.value
