"""Leases: keeping claimed mails for a worker that lives, and giving them back untried."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet

from massmail_plugin import conf
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.ledger.deadlocks import again_after_deadlock
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState, move

#: Fields of a delivery that is queued again as if nobody had claimed it.
UNTOUCHED: dict[str, Any] = {"attempts": F("attempts") - 1, "claim_token": ""}


def give_back(deliveries: Collection[Delivery]) -> int:
    """Queue mails again that were claimed and not tried; the attempt is not used.

    Only while they stand at "claimed": one that has passed the fence may be on its way.
    """
    return again_after_deadlock(lambda: _give_back(deliveries))


def _give_back(deliveries: Collection[Delivery]) -> int:
    untried = _mine(deliveries).filter(state=DeliveryState.CLAIMED)
    return move(untried, DeliveryState.QUEUED, **UNTOUCHED, lease_until=None, paced_at=None)


def renew(deliveries: Collection[Delivery], closes_at: datetime | None) -> int:
    """Let the leases of these mails begin anew: their worker is alive. Returns how many there were.

    Not those that have run out: they may count against the account's limits no more. They do not pass the fence.
    ``closes_at``: when the account's working hours end, if they do; no mail passes the fence afterwards.
    """
    return again_after_deadlock(lambda: _renew(deliveries, closes_at))


def _renew(deliveries: Collection[Delivery], closes_at: datetime | None) -> int:
    now = clock.now()
    until = now + timedelta(seconds=conf.get("LEASE_SECONDS"))
    # Past the fence it is only a sign of life.
    renewed = _mine(deliveries).filter(state=DeliveryState.HANDING).update(lease_until=until)
    if closes_at is not None:
        until = min(until, closes_at)
    # Counts against the account's limits for as long as it may yet be sent.
    alive = _mine(deliveries).filter(state=DeliveryState.CLAIMED, lease_until__gt=now)
    return renewed + alive.filter(lease_until__lt=until).update(lease_until=until, paced_at=until)


def _mine(deliveries: Collection[Delivery]) -> QuerySet[Delivery]:
    return Delivery.ledger.filter(
        pk__in=[delivery.pk for delivery in deliveries],
        claim_token__in={delivery.claim_token for delivery in deliveries},
    )
