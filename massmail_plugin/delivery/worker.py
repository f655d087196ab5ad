"""One worker: claims mails of one account, hands them over, records what is known."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from django.db.models import Model

from massmail_plugin import conf, preferences, recipients
from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.content.compiled import RenderFailed
from massmail_plugin.delivery import ledger
from massmail_plugin.delivery.messages import Composer, compose_delivery
from massmail_plugin.delivery.transports import transport_for
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, OutgoingMail, Transport, Verdict
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address

logger = logging.getLogger("massmail_plugin.delivery")

#: Seconds before the second, third... attempt after a temporary refusal. RFC 5321 4.5.4.1 asks for some
#: patience; greylisting servers want five minutes.
BACK_OFF = (300, 1200, 3600)

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


@dataclass(slots=True)
class _Slice:
    """Claimed mails with all that is needed to compose them, loaded in a few queries."""

    deliveries: list[Delivery]
    records: dict[tuple[str, str], Model] = field(default_factory=dict)
    composers: dict[int, Composer] = field(default_factory=dict)


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
        prepared = _prepare(claimed)
        # One at least, or a server that takes longer to greet than a slice lasts would never get any.
        while waiting and not result.stopped:
            # Taken out first: if this one kills the worker, its attempt must count, or it would do so for ever.
            outcome = _hand_over(account, transport, prepared, waiting.pop(0))
            result.handled += 1
            result.stopped = _stop_reason(account, outcome)
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


def _prepare(deliveries: list[Delivery]) -> _Slice:
    prepared = _Slice(deliveries)
    base_url = preferences.load().base_url
    by_type: dict[str, list[str]] = {}
    for delivery in deliveries:
        by_type.setdefault(delivery.recipient_type, []).append(delivery.object_id)
        if delivery.run_id not in prepared.composers:
            prepared.composers[delivery.run_id] = Composer.for_run(delivery.run, base_url)
    for key, ids in by_type.items():
        recipient_type = recipients.get(key)
        if recipient_type is not None:
            prepared.records |= {
                (key, object_id): record for object_id, record in recipient_type.load(ids).items()
            }
    return prepared


def _hand_over(
    account: SenderAccount, transport: Transport, prepared: _Slice, delivery: Delivery
) -> Outcome | None:
    """Hand over one mail and record the outcome. Returns None if it was not tried."""
    reason = _changed_since_start(prepared, delivery)
    if reason:
        ledger.skip(delivery, reason)
        return None
    try:
        mail = _compose(account, prepared, delivery)
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


def _compose(account: SenderAccount, prepared: _Slice, delivery: Delivery) -> OutgoingMail:
    recipient_type = recipients.get(delivery.recipient_type)
    assert recipient_type is not None
    contact = recipient_type.merge_values(prepared.records[delivery.recipient_type, delivery.object_id])
    return compose_delivery(prepared.composers[delivery.run_id], account, delivery, contact)


def _changed_since_start(prepared: _Slice, delivery: Delivery) -> str:
    """Return why the frozen row no longer fits its record, or the empty text: the last state wins."""
    recipient_type = recipients.get(delivery.recipient_type)
    record = prepared.records.get((delivery.recipient_type, delivery.object_id))
    if recipient_type is None or record is None:
        return Reason.RECORD_GONE
    try:
        key = parse_address(recipient_type.record_email(record)).key
    except MalformedAddress:
        return Reason.ADDRESS_CHANGED
    return "" if delivery.address and key == delivery.address.key else Reason.ADDRESS_CHANGED


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
    """The fence refused: the recipient said no, or the mailing was stopped, or the claim is lost."""
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
    if outcome is None or outcome.verdict not in (*_STOPS_ACCOUNT, *_STOPS_TURN):
        return ""
    if outcome.verdict in _STOPS_ACCOUNT:
        faults.stop(account, outcome.reply)
    else:
        faults.note(account, outcome.reply)
    return outcome.reply or outcome.verdict.value
