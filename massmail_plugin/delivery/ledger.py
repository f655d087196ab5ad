"""The fence and outcomes: every write to the ledger after a claim, while mails are being sent.

For many mails at once, so that they share a commit; one mail is the list of one. Each write is a conditional UPDATE:
claim tokens are drawn for one claim and nobody else's, so that a mail which the sweeper or another worker has by now
is left alone. Safety never depends on a clock: leases only decide when somebody else may try.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.utils import timezone

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery import clock
from massmail_plugin.delivery.deadlocks import again_after_deadlock
from massmail_plugin.mailings import doubt
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.statements import Move, Slot, numbered, slots
from massmail_plugin.mailings.states import RUNNING, DeliveryState, move
from massmail_plugin.recipients.models import EmailAddress, ListOptOut

logger = logging.getLogger("massmail_plugin.delivery")

#: Mails whose acceptance one statement writes.
_SIZES = (1, 4, 16, 64)


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of one mail that a worker has claimed."""

    delivery: int
    claim_token: str
    state: DeliveryState
    #: The server's answer, or why not; one clean line of up to 1000 characters.
    detail: str = ""
    #: With "skipped".
    reason: str = ""
    provider_id: str = ""
    #: With "deferred": seconds until the next attempt.
    wait: float = 0
    #: When it became known.
    at: datetime = field(default_factory=timezone.now)
    #: Whether the mail had been committed to be sent: if this got lost, it would be in doubt.
    past_fence: bool = False


def commit_to_send(deliveries: Collection[Delivery], known: Sequence[Entry] = ()) -> set[int]:
    """The fence: record the intent to send, as far as everything still allows it. Returns those that may be sent.

    Still this worker's, lease alive, mailing running, account ready and not asked to wait, and nobody has said no in
    the meantime. Nobody passes twice: what has passed is marked in ``deliveries`` too. ``known`` is what has become of
    other mails: it is written by the same commit, because a commit waits for the disk.
    """
    _refuse_open_transaction()
    asked = [delivery for delivery in deliveries if delivery.state == DeliveryState.CLAIMED]
    allowed = again_after_deadlock(lambda: _commit(asked, known)) if asked or known else set()
    for delivery in asked:
        if (delivery.pk, delivery.claim_token) in allowed:
            delivery.state = DeliveryState.HANDING
    return {pk for pk, _token in allowed}


def _commit(asked: list[Delivery], known: Sequence[Entry]) -> set[tuple[int, str]]:
    # By claim, so that a number counts only together with its own token: a worker that has slept past its lease may
    # have claimed the same mail again.
    claims: dict[tuple[int, str], list[Delivery]] = defaultdict(list)
    for delivery in asked:
        claims[delivery.run_id, delivery.claim_token].append(delivery)
    with transaction.atomic(durable=True):
        if known:
            write(known)
        # Last of all: what it asks about should be no older than need be.
        return {(pk, token) for (_run, token), claim in claims.items() for pk in _pass(claim)}


def _refuse_open_transaction() -> None:
    """The fence has to be a commit of its own: a transaction around it would void it."""
    if connection.in_atomic_block or not connection.get_autocommit():
        raise RuntimeError("Mails cannot be sent inside a transaction: the fence would not be committed.")


def _pass(claim: list[Delivery]) -> set[int]:
    """Move those to "handing" that may be sent, in one statement. They are of one run and one claim."""
    run, token = claim[0].run, claim[0].claim_token
    scopes = list(run.list_scopes)
    allowed = {delivery.pk for delivery in claim}
    lease_seconds = conf.get("LEASE_SECONDS")
    fence = _fence(len(claim), len(scopes), lease_seconds)
    now = timezone.now()
    times = {"now": now, "later": now + timedelta(seconds=lease_seconds)}
    values = {**times, **numbered("pk", allowed), **numbered("scope", scopes)}
    moved = fence.run(token=token, run=run.pk, account=claim[0].account_id, **values)
    if moved < len(claim):
        handing = Delivery.objects.filter(pk__in=allowed, claim_token=token, state=DeliveryState.HANDING)
        allowed = set(handing.values_list("pk", flat=True))
    return allowed


@lru_cache(maxsize=256)
def _fence(mails: int, scopes: int, lease_seconds: float) -> Move:
    """Return the fence for so many mails of a run that goes to so many lists."""
    opted_out = ListOptOut.objects.filter(
        address=OuterRef("address"), scope__in=slots("scope", scopes, CharField())
    )
    mailable = EmailAddress.objects.filter(
        pk=OuterRef("address"),
        invalid_since=None,
        opted_out_since=None,
        complained_since=None,
        erased_since=None,
    )
    # Not by each row's own number: they have the same, and so it is asked once.
    running = Run.objects.filter(pk=Slot("run", BigIntegerField()), mailing__state__in=RUNNING)
    ready = SenderAccount.objects.filter(
        # Not while it waits because its server has asked for that.
        Q(resume_at=None) | Q(resume_at__lte=clock.Now()),
        pk=Slot("account", BigIntegerField()),
        state=SenderAccount.State.READY,
    )
    is_allowed = When(
        Exists(running) & Exists(ready) & Exists(mailable) & ~Exists(opted_out), then=Value(True)
    )
    allowed = Delivery.objects.filter(
        # A plain condition would be a join to PostgreSQL, which may begin it with all of the addresses.
        Case(is_allowed, default=Value(False)),
        pk__in=slots("pk", mails, BigIntegerField()),  # type: ignore[misc]
        claim_token=Slot("token", CharField()),
        lease_until__gt=clock.Now(),
    )
    return Move(
        allowed,
        DeliveryState.HANDING,
        paced_at=clock.Now(),
        # Begins anew: it may have been cut short by the end of the working hours, and the answer may take long.
        lease_until=clock.later(lease_seconds),
        handed_at=None,
    )


def write(entries: Iterable[Entry]) -> int:
    """Write what has become of mails, in one transaction. Returns how many were still this worker's."""
    entries = list(entries)
    moved = _write_all(entries)
    if moved < len(entries) and _pass_again(entries):
        moved += _write_all(entries)
    return moved


def _write_all(entries: list[Entry]) -> int:
    accepted: dict[str, list[Entry]] = defaultdict(list)
    others: list[Entry] = []
    for entry in entries:
        if entry.state == DeliveryState.ACCEPTED and not entry.provider_id:
            accepted[entry.claim_token].append(entry)
        else:
            others.append(entry)
    return again_after_deadlock(lambda: _write(accepted, others))


def _write(accepted: dict[str, list[Entry]], others: list[Entry]) -> int:
    moved = 0
    # No savepoint within the fence's transaction, which would be two more round trips: it stands or falls with it.
    with transaction.atomic(savepoint=False):
        for token, claim in accepted.items():
            for start in range(0, len(claim), _SIZES[-1]):
                moved += _accept(token, claim[start : start + _SIZES[-1]])
        now = clock.now() if others else timezone.now()
        for entry in others:
            mine = Delivery.objects.filter(pk=entry.delivery, claim_token=entry.claim_token)
            if entry.state == DeliveryState.IN_DOUBT:
                moved += doubt.call_in_doubt(mine, entry.detail, now=now)
            else:
                moved += move(mine, entry.state, lease_until=None, **_fields(entry, now))
    return moved


def _pass_again(entries: list[Entry]) -> int:
    """Mark mails as handed over whose fence the database has forgotten. Returns how many there were.

    A standby that takes over may lack the last commits: what its worker knows must not be lost with them, or the mail
    would be sent a second time.
    """
    left: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.past_fence:
            left[entry.claim_token].append(entry.delivery)
    again = 0
    for token, numbers in left.items():
        forgotten = Delivery.objects.filter(pk__in=numbers, claim_token=token, state=DeliveryState.CLAIMED)
        again += move(forgotten, DeliveryState.HANDING, paced_at=clock.now(), handed_at=None)
    if again:
        logger.error("The database has forgotten that %s mails were being handed over", again)
    return again


def _accept(token: str, entries: list[Entry]) -> int:
    # The last one fills up what is left of the statement: there are only a few sizes, which Django puts together once.
    size = next(size for size in _SIZES if size >= len(entries))
    entries = entries + entries[-1:] * (size - len(entries))
    return _acceptance(size).run(
        token=token,
        **numbered("pk", [entry.delivery for entry in entries]),
        **numbered("detail", [entry.detail for entry in entries]),
        **numbered("at", [entry.at for entry in entries]),
    )


@lru_cache(maxsize=len(_SIZES))
def _acceptance(mails: int) -> Move:
    """Return what is written of nearly every mail, for so many of one claim in one statement."""
    numbers = slots("pk", mails, BigIntegerField())
    details, times = slots("detail", mails, CharField()), slots("at", mails, DateTimeField())
    mine = Delivery.objects.filter(pk__in=numbers, claim_token=Slot("token", CharField()))  # type: ignore[misc]
    return Move(
        mine,
        DeliveryState.ACCEPTED,
        lease_until=None,
        detail=Case(
            *[When(pk=pk, then=detail) for pk, detail in zip(numbers, details, strict=True)],
            default=F("detail"),
        ),
        handed_at=Case(
            *[When(pk=pk, then=at) for pk, at in zip(numbers, times, strict=True)], default=F("handed_at")
        ),
    )


#: What has passed the fence counts against the account's limits from then on; anything else was never sent.
_MARK = Case(
    When(state__in=(DeliveryState.HANDING, DeliveryState.IN_DOUBT), then=F("paced_at")), default=None
)


def _fields(entry: Entry, now: datetime) -> dict[str, Any]:
    """Return what changes besides the state."""
    match entry.state:
        case DeliveryState.ACCEPTED:
            provider_id = {"provider_id": entry.provider_id} if entry.provider_id else {}
            return {"detail": entry.detail, "handed_at": entry.at, **provider_id}
        case DeliveryState.FAILED:
            return {"detail": entry.detail, "handed_at": None, "paced_at": _MARK}
        case DeliveryState.DEFERRED:
            later = now + timedelta(seconds=entry.wait)
            return {"detail": entry.detail, "handed_at": None, "paced_at": _MARK, "next_attempt_at": later}
        case DeliveryState.SKIPPED:
            return {"reason": entry.reason, "paced_at": None}
        case DeliveryState.QUEUED:
            return {**_UNTOUCHED, "handed_at": None, "paced_at": _MARK}
        case _:
            return {"paced_at": _MARK}


def give_back(deliveries: Collection[Delivery]) -> int:
    """Queue mails again that were claimed and not tried; the attempt is not used.

    Only while they stand at "claimed": one that has passed the fence may be on its way.
    """
    untried = _mine(deliveries).filter(state=DeliveryState.CLAIMED)
    return move(untried, DeliveryState.QUEUED, **_UNTOUCHED, lease_until=None, paced_at=None)


def renew(deliveries: Collection[Delivery], closes_at: datetime | None) -> int:
    """Let the leases of these mails begin anew: their worker is alive. Returns how many there were.

    ``closes_at``: when the account's working hours end, if they do; no mail passes the fence afterwards.
    """
    until = clock.now() + timedelta(seconds=conf.get("LEASE_SECONDS"))
    # Past the fence it is only a sign of life.
    renewed = _mine(deliveries).filter(state=DeliveryState.HANDING).update(lease_until=until)
    if closes_at is not None:
        until = min(until, closes_at)
    # Counts against the account's limits for as long as it may yet be sent.
    claimed = _mine(deliveries).filter(state=DeliveryState.CLAIMED, lease_until__lt=until)
    return renewed + claimed.update(lease_until=until, paced_at=until)


#: Fields of a delivery that is queued again as if nobody had claimed it.
_UNTOUCHED: dict[str, Any] = {"attempts": F("attempts") - 1, "claim_token": ""}


def _mine(deliveries: Collection[Delivery]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in deliveries],
        claim_token__in={delivery.claim_token for delivery in deliveries},
    )
