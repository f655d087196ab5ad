"""The claim: a worker takes some waiting mails for itself, for a time, as many as the limits allow."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import F, Model

from massmail_plugin import conf, preferences
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.of_account import ration_of
from massmail_plugin.accounts.pacing.ration import Share, decide
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.delivery.ledger import clock, routes
from massmail_plugin.delivery.ledger.choosing import Choice, Limits
from massmail_plugin.delivery.ledger.deadlocks import again_after_deadlock
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import DeliveryState, move
from massmail_plugin.mailings.usage import used_by
from massmail_plugin.preferences import MailPreferences

_Row = TypeVar("_Row", bound=Model)

#: What a worker reads of the mails it has claimed; anything else is loaded when somebody asks for it.
_NEEDED = (
    "run",
    "account",
    "address",
    "recipient_type",
    "object_id",
    "name",
    "email",
    "envelope",
    "state",
    "attempts",
    "next_attempt_at",
    "claim_token",
)


class Claimed(list[Delivery]):
    """The mails that a claim took, in order of their numbers, and what the worker has to know about them.

    Each has what its address says as ``address_key`` and ``address_erased_since``.
    """

    #: What is in the way of more mails; None: nothing is.
    why: Why | None = None
    #: With no mails: when to ask again, as far as that is known.
    next_at: dt.datetime | None = None
    #: No lease may be renewed beyond this. None: there is no such end.
    closes_at: dt.datetime | None = None


def claim(account: SenderAccount, limit: int, *, turn: Counter[int] | None = None) -> Claimed:
    """Take up to ``limit`` waiting mails for this worker alone, for LEASE_SECONDS at most.

    ``turn`` counts what a worker's turn takes of each run, by its number: for the limit of mails in one go.
    """
    # Before the transaction: a database that shows it one moment only (REPEATABLE READ) must begin that moment after
    # the locks, or what is counted then would be too old.
    site = preferences.load()
    limits = Limits.of_site(site)
    ready = {one.pk: one for one in routes.ready_accounts(account.owner_id)}
    fresh = ready.get(account.pk)
    if fresh is None:
        return Claimed()
    if not connection.features.has_select_for_update:
        # SQLite has one lock for all writers and grants it in no order: whoever has to wait keeps nobody waiting.
        early = _share(fresh, site, clock.now(), limit)
        if not early.count:
            return _refused(early)
    token, taken = uuid.uuid4().hex, Counter(turn or {})
    peers = routes.Peers.among(ready.values())
    # Reads holidays, which would begin that moment as well.
    counts_marks = ration_of(fresh, site).counts_marks

    def take() -> tuple[Choice, Share, list[int]]:
        with transaction.atomic(durable=True):
            # All claims in this order, so that no two wait for each other. Without limits none waits at all.
            of_site = locked(site) if site.per_hour_limit is not None or limits.domains else site
            of_account = locked(fresh) if counts_marks else fresh
            now = clock.now()
            share = _share(of_account, of_site, now, limit)
            choice = Choice(of_account, peers, limits, now, Counter(taken))
            ids = choice.take(share.count)
            _mark(ids, of_account, token, _lease_until(now, share))
        return choice, share, ids

    choice, share, ids = again_after_deadlock(take)
    if turn is not None:
        turn.update(choice.turn - taken)
    return _answer(_load(ids, token, choice.runs), share, choice)


def _share(account: SenderAccount, site: MailPreferences, now: dt.datetime, limit: int) -> Share:
    """Return how many of ``limit`` mails may leave through the account now."""
    ration = ration_of(account, site)
    return decide(ration, now, used_by(ration, now), limit)


def locked(row: _Row) -> _Row:
    """Return ``row`` as it is now, and let nobody else lock it before the transaction ends.

    Whoever counts marks locks the preferences before an account, so that no two wait for each other.
    """
    rows = type(row)._default_manager.filter(pk=row.pk)
    # Mails that are written at this moment may refer to the row: only its key must stay for them.
    no_key = connection.features.has_select_for_no_key_update
    return rows.select_for_update(no_key=no_key).first() or row


def _lease_until(now: dt.datetime, share: Share) -> dt.datetime:
    """Return when the lease ends: at closing time at the latest, so that the fence itself refuses afterwards."""
    until = now + dt.timedelta(seconds=conf.get("LEASE_SECONDS"))
    return until if share.until is None else min(until, share.until)


def _mark(ids: list[int], account: SenderAccount, token: str, until: dt.datetime) -> None:
    move(
        Delivery.ledger.filter(pk__in=ids),
        DeliveryState.CLAIMED,
        by_number=True,
        claim_token=token,
        lease_until=until,
        paced_at=until,
        attempts=F("attempts") + 1,
        account=account,
    )


def _load(ids: list[int], token: str, runs: dict[int, Run]) -> Claimed:
    """Return those of the mails that are really ours; the mails of a run share it."""
    # A replica may not know of the claim yet: the mails would stay with nobody until their lease ends.
    mine = Delivery.ledger.filter(pk__in=ids, claim_token=token)
    # A model's every field, and every model, costs as much as a signed link.
    lean = mine.only(*_NEEDED).annotate(
        address_key=F("address__key"), address_erased_since=F("address__erased_since")
    )
    claimed = Claimed(
        one for one in (lean.order_by("pk") if ids else ()) if one.state == DeliveryState.CLAIMED
    )
    for delivery in claimed:
        delivery.run = runs[delivery.run_id]
    return claimed


def _answer(claimed: Claimed, share: Share, choice: Choice) -> Claimed:
    if not share.count:
        return _refused(share)
    claimed.closes_at = share.until
    claimed.why = share.why if claimed else choice.why_none()
    return claimed


def _refused(share: Share) -> Claimed:
    nothing = Claimed()
    nothing.why, nothing.next_at = share.why, share.next_at
    return nothing
