"""Which accounts the mails of a run may leave through, and which mails wait at an account.

A mail has a *lane*: its run, whether it is for a VIP, and the account that its recipient is used to. An account reads
the lanes that are its own, each a range of one index (``massmail_delivery_lane``), however many mails wait in others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, QuerySet

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import OPEN, DeliveryState


@dataclass(frozen=True, slots=True)
class Peers:
    """The accounts that are ready to send the mails of the same runs, by number."""

    #: They mail VIPs only.
    mains: frozenset[int]
    others: frozenset[int]

    @classmethod
    def among(cls, ready: Iterable[SenderAccount]) -> Peers:
        """``ready``: see :func:`ready_accounts`."""
        kinds = {account.pk: account.is_main for account in ready}
        mains = frozenset(pk for pk, is_main in kinds.items() if is_main)
        return cls(mains, frozenset(kinds) - mains)

    def takers(self, *, vip: bool) -> frozenset[int]:
        """Return who sends to VIPs, or to the rest. VIPs wait for a main account as long as one is ready."""
        return self.mains if vip and self.mains else self.others


def ready_accounts(owner_id: int | None) -> QuerySet[SenderAccount]:
    """Return the ready accounts of this owner; None: those that are everybody's."""
    return SenderAccount.objects.filter(state=SenderAccount.State.READY, owner_id=owner_id)


def accounts_of(run: Run) -> QuerySet[SenderAccount]:
    """Return the accounts that are ready to send the mails of ``run``."""
    return run.accounts().filter(state=SenderAccount.State.READY)


def runs_through(account: SenderAccount) -> QuerySet[Run]:
    """Return the running runs whose mails may leave through ``account``: see ``Run.own_accounts``."""
    return Run.through_accounts_of(account.owner_id)


def queued() -> Q:
    """Return what is true of mails that wait for their first attempt."""
    return Q(state=DeliveryState.QUEUED)


def deferred(now: dt.datetime) -> Q:
    """Return what is true of mails whose time for another attempt has come. ``now`` is the database's."""
    return Q(state=DeliveryState.DEFERRED, next_attempt_at__lte=now)


def lanes(account_id: int, run: Run, peers: Peers, waiting: Q) -> Iterator[QuerySet[Delivery]]:
    """Yield the lanes of ``run`` that the account may take mails from, the first ones first, each in order.

    Those of people who are used to it come first, then of those who are used to none, then of those whose account
    cannot send to them any more.
    """
    known = set(run.preferred_accounts)
    for vip in (True, False) if run.has_vips else (False,):
        takers = peers.takers(vip=vip)
        if account_id not in takers:
            continue
        # A list, because Django would write "NOT vip" for a single False, which SQLite finds in no index.
        here = Delivery.ledger.filter(waiting, run=run, vip__in=[vip]).order_by(*_lane_order())
        mine = known & {account_id}
        for preferred in (*mine, None, *sorted(known - takers)):
            yield here.filter(preferred_account=preferred)


def _lane_order() -> tuple[str, ...]:
    """Return the order of the index within a lane, so that a claim of 20 mails reads 20 and sorts no million.

    The preferred account is the same in the whole lane. PostgreSQL does not see that where it ``IS NULL`` and would
    sort, unless it is named; MariaDB sees it, and would sort because it is named.
    """
    first = ("preferred_account_id",) if connection.vendor == "postgresql" else ()
    return (*first, "next_attempt_at", "pk")


def has_work(account: SenderAccount) -> bool:
    """Return whether ``account`` could send anything now, if its limits allow it."""
    peers = Peers.among(ready_accounts(account.owner_id))
    now = clock.now()
    return any(
        lane.exists()
        for run in runs_through(account).defer("content").order_by()
        for waiting in (queued(), deferred(now))
        for lane in lanes(account.pk, run, peers, waiting)
    )


def has_takers(run: Run) -> bool:
    """Return whether a ready account takes the mails of ``run`` that have no end yet, or at least some of them."""
    ready = set(accounts_of(run).values_list("is_main", flat=True))
    if ready == {True}:
        return run.has_vips and Delivery.ledger.filter(run=run, vip__in=[True], state__in=OPEN).exists()
    return bool(ready)
