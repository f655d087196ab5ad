"""Writes to the ledger what has become of mails.

For many mails at once, so that they share a commit; one mail is the list of one. Each write is a conditional UPDATE by
the mail's number and claim token, so that a mail which the sweeper or another worker has by now is left alone.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, Case, CharField, DateTimeField, F, Q, When
from django.utils import timezone

from massmail_plugin.audience.reasons import Reason
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.ledger.deadlocks import again_after_deadlock
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.delivery.ledger.leases import UNTOUCHED
from massmail_plugin.mailings import doubt
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.models.delivery import WORDLESS
from massmail_plugin.mailings.statements import Move, Slot, numbered, slots
from massmail_plugin.mailings.states import WAITING, DeliveryState, move

logger = logging.getLogger("massmail_plugin.delivery")

#: Mails whose acceptance one statement writes.
_SIZES = (1, 4, 16, 64)

#: What a worker has in hand and has not risked yet has no answer: its fence was forgotten, see :func:`_pass_again`.
_PAST_CLAIM = ~Q(state=DeliveryState.CLAIMED)


def write(entries: Iterable[Entry]) -> int:
    """Write what has become of mails, in one transaction. Returns how many were still this worker's."""
    entries = list(entries)
    moved = _write_all(entries)
    if moved < len(entries) and _pass_again(entries):
        moved += _write_all(entries)
    if moved < len(entries):
        moved += again_after_deadlock(lambda: _doubt_forgotten_claims(entries))
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
            mine = Delivery.ledger.filter(pk=entry.delivery, claim_token=entry.claim_token)
            if entry.state == DeliveryState.ACCEPTED:
                mine = mine.filter(_PAST_CLAIM)
            if entry.state == DeliveryState.IN_DOUBT:
                moved += doubt.call_in_doubt(mine, entry.detail, now=now)
            else:
                moved += move(mine, _target(entry), lease_until=None, **_fields(entry, now))
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
        forgotten = Delivery.ledger.filter(pk__in=numbers, claim_token=token, state=DeliveryState.CLAIMED)
        again += move(forgotten, DeliveryState.HANDING, paced_at=clock.now(), handed_at=None)
    if again:
        logger.error("The database has forgotten that %s mails were being handed over", again)
    return again


def _doubt_forgotten_claims(entries: list[Entry]) -> int:
    """Call mails in doubt that were accepted, and of whose claim the database knows nothing. Returns how many.

    A standby that takes over may lack that, too: they wait, or somebody else has just claimed them. Nobody can tell any
    more that it is the same mail, so that a person decides.
    """
    sent = {
        entry.delivery: entry
        for entry in entries
        if entry.past_fence and entry.state == DeliveryState.ACCEPTED
    }
    unsent = Delivery.ledger.filter(state__in=(*WAITING, DeliveryState.CLAIMED))
    forgotten = unsent.filter(pk__in=list(sent)).exclude(
        claim_token__in={one.claim_token for one in sent.values()}
    )
    doubted = 0
    for number in list(forgotten.values_list("pk", flat=True)) if sent else ():
        entry = sent[number]
        mail = unsent.filter(pk=number).exclude(claim_token=entry.claim_token)
        doubted += move(
            mail,
            DeliveryState.IN_DOUBT,
            lease_until=None,
            doubted_at=clock.now(),
            claim_token="",
            detail=entry.detail,
        )
    if doubted:
        logger.error("The database has forgotten that %s mails were claimed, which have been sent", doubted)
    return doubted


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
    mine = Delivery.ledger.filter(_PAST_CLAIM, pk__in=numbers, claim_token=Slot("token", CharField()))  # type: ignore[misc]
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


def _target(entry: Entry) -> DeliveryState:
    """Return where the mail stands from now on: one that is queued behind others waits as if it were deferred."""
    return DeliveryState.DEFERRED if entry.wait else entry.state


def _fields(entry: Entry, now: datetime) -> dict[str, Any]:
    """Return what changes besides the state."""
    later = now + timedelta(seconds=entry.wait)
    match entry.state:
        case DeliveryState.ACCEPTED:
            provider_id = {"provider_id": entry.provider_id} if entry.provider_id else {}
            return {"detail": entry.detail, "handed_at": entry.at, **provider_id}
        case DeliveryState.FAILED:
            return {"detail": entry.detail, "handed_at": None, "paced_at": _MARK}
        case DeliveryState.DEFERRED:
            return {"detail": entry.detail, "handed_at": None, "paced_at": _MARK, "next_attempt_at": later}
        case DeliveryState.SKIPPED:
            # The row may have been written while the person was being erased.
            nobody = WORDLESS if entry.reason == Reason.ERASED else {}
            return {"reason": entry.reason, "paced_at": None, **nobody}
        case DeliveryState.QUEUED:
            waits = {"detail": entry.detail, "next_attempt_at": later} if entry.wait else {}
            return {**UNTOUCHED, "handed_at": None, "paced_at": _MARK, **waits}
        case _:
            return {"paced_at": _MARK}
