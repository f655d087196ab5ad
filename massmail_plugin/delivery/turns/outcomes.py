"""What follows from the outcome of an attempt: for the mail, for its account, and for the turn."""

from __future__ import annotations

from django.db import router
from django.utils.translation import gettext as _

from massmail_plugin import conf
from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.of_account import slowdown_of
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.accounts.slowing import slow_down
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.mailings.usage import sent_last_minute
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.leaving import opt_outs_of
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress

#: Seconds before the second, third... attempt after a temporary refusal. RFC 5321 4.5.4.1 asks for some
#: patience; greylisting servers want five minutes.
BACK_OFF = (300, 1200, 3600)
#: Seconds that a mail waits whose recipient the server knew when it asked for fewer mails: others go first, as it may
#: mean this one alone, and would say so each time. From the second time on longer than the account itself ever waits.
_OTHERS_FIRST = (300, 7200)

#: What a person has to mend before the account may go on.
_STOPS_ACCOUNT = (Verdict.ACCOUNT, Verdict.POLICY)
#: What ends only this turn, until the next tick. A doubt too: a provider that answers each mail with an error must
#: not put a whole list in doubt while it is down.
_STOPS_TURN = (Verdict.UNREACHABLE, Verdict.DOUBT, Verdict.SLOW_DOWN)


def entry_for(delivery: Delivery, outcome: Outcome) -> Entry:
    """Return what the ledger is to say of this mail."""
    match outcome.verdict:
        case Verdict.ACCEPTED:
            return _entry(delivery, DeliveryState.ACCEPTED, outcome)
        case Verdict.RECIPIENT:
            return _entry(delivery, DeliveryState.FAILED, outcome)
        case Verdict.DOUBT:
            return _entry(delivery, DeliveryState.IN_DOUBT, outcome)
        case Verdict.TEMPORARY | Verdict.POLICY if delivery.attempts >= conf.get("MAX_ATTEMPTS"):
            return _entry(delivery, DeliveryState.FAILED, outcome)
        case Verdict.TEMPORARY | Verdict.POLICY:
            wait = BACK_OFF[min(delivery.attempts, len(BACK_OFF)) - 1]
            return _entry(delivery, DeliveryState.DEFERRED, outcome, wait=wait)
        case Verdict.FENCED:
            return _fenced(delivery)
        case Verdict.SLOW_DOWN if outcome.may_mean_recipient:
            wait = _OTHERS_FIRST[delivery.next_attempt_at is not None]
            return _entry(delivery, DeliveryState.QUEUED, outcome, wait=wait)
        case Verdict.UNREACHABLE | Verdict.ACCOUNT | Verdict.SLOW_DOWN | Verdict.TOO_BIG:
            return taken_back(delivery)


def taken_back(delivery: Delivery) -> Entry:
    """Return the entry of a mail that is known not to have been sent: queued again, its attempt not used."""
    return _entry(delivery, DeliveryState.QUEUED)


def left_out(delivery: Delivery, reason: str) -> Entry:
    """Return the entry of somebody who gets no mail."""
    return Entry(delivery.pk, delivery.claim_token, DeliveryState.SKIPPED, reason=reason)


def _entry(
    delivery: Delivery, state: DeliveryState, outcome: Outcome | None = None, *, wait: float = 0
) -> Entry:
    return Entry(
        delivery.pk,
        delivery.claim_token,
        state,
        detail=outcome.reply if outcome else "",
        provider_id=outcome.provider_id if outcome else "",
        wait=wait,
        past_fence=delivery.state == DeliveryState.HANDING,
    )


def _fenced(delivery: Delivery) -> Entry:
    """The fence refused: the recipient said no, the mailing or the account was stopped, or the claim is lost.

    Asked where the fence has asked: a replica may not have heard of it yet.
    """
    primary = router.db_for_write(Delivery)
    address = EmailAddress.objects.using(primary).get(deliveries=delivery)
    if address.erased_since:
        return left_out(delivery, Reason.ERASED)
    if address.complained_since:
        return left_out(delivery, Reason.COMPLAINED)
    if address.opted_out_since:
        return left_out(delivery, Reason.OPTED_OUT)
    if address.invalid_since:
        return left_out(delivery, Reason.INVALID)
    opt_outs = opt_outs_of(delivery.run.list_scopes, delivery.run.live_scopes).using(primary)
    if opt_outs.filter(address=address).exists():
        return left_out(delivery, Reason.OPTED_OUT_LIST)
    if (
        Mailing.objects.using(primary)
        .filter(pk=delivery.run.mailing_id, state=MailingState.CANCELLED)
        .exists()
    ):
        return _entry(delivery, DeliveryState.CANCELLED)
    return taken_back(delivery)


def follow(delivery: Delivery, outcome: Outcome) -> None:
    """Do what the outcome asks for beyond this one mail: about its address, and about its mailing."""
    if outcome.no_such_mailbox and delivery.address is not None:
        _call_invalid(delivery.address, delivery, outcome)
    if outcome.verdict is Verdict.TOO_BIG:
        _hold_back(delivery, outcome)


def _call_invalid(address: EmailAddress, delivery: Delivery, outcome: Outcome) -> None:
    """The server that knows has said that there is no such mailbox: nothing is mailed to it any more."""
    proof = {"delivery": delivery.pk}
    consent.mark_invalid(address, How(ConsentEvent.Method.SERVER, reason=outcome.reply[:500], proof=proof))


def _hold_back(delivery: Delivery, outcome: Outcome) -> None:
    """Pause the mailing, none of whose mails can leave as it is: the others would only be refused as well."""
    notice = _(
        "The mail server does not take mails of this size: %(reply)s Its content is frozen, so make a copy of this "
        "mailing with a smaller template and cancel this one; or let the server take larger mails, then press Resume."
    )
    mailing = Mailing.objects.get(runs=delivery.run_id)
    actions.hold_back(mailing, notice % {"reply": outcome.reply.rstrip(".") + "."})


def stop_reason(account: SenderAccount, outcome: Outcome) -> str:
    """Return why the turn must end now, noting the account's fault; the empty text means: go on."""
    if outcome.verdict is Verdict.FENCED:
        now = SenderAccount.objects.filter(pk=account.pk).first()
        if now is None:
            return _("The account was deleted.")
        if not now.is_ready:
            return str(now.get_state_display())
        return Why.SERVER_WAIT.sentence if slowdown_of(now).is_waiting(clock.now()) else ""
    if outcome.verdict in _STOPS_ACCOUNT:
        faults.stop(account, outcome.reply)
    elif outcome.verdict in _STOPS_TURN:
        faults.note(account, outcome.reply)
        if outcome.verdict is Verdict.SLOW_DOWN:
            _slow_down(account, outcome)
    else:
        return ""
    return outcome.reply or outcome.verdict.value


def asks_for_fewer_mails(outcome: Outcome) -> bool:
    """Whether a server that has refused one more connection means mails, and not connections."""
    return outcome.verdict is Verdict.SLOW_DOWN and "connection" not in outcome.reply.lower()


def _slow_down(account: SenderAccount, outcome: Outcome) -> None:
    now = clock.now()
    sent = sent_last_minute(account.pk, now)
    slow_down(account.pk, now, sent_last_minute=sent, retry_after=outcome.retry_after)


def stops_run(entry: Entry, outcome: Outcome) -> bool:
    """Whether the other mails of the same run had better not be tried now: they would only be refused as well."""
    refused = outcome.verdict is Verdict.FENCED and entry.state in (
        DeliveryState.QUEUED,
        DeliveryState.CANCELLED,
    )
    return refused or outcome.verdict is Verdict.TOO_BIG


def untried(delivery: Delivery, like: Entry) -> Entry:
    """Return the entry of a mail that need not be tried because of what another of its run met."""
    cancelled = like.state == DeliveryState.CANCELLED
    return _entry(delivery, DeliveryState.CANCELLED if cancelled else DeliveryState.QUEUED)
