"""The fence: the committed intent to send, as far as everything still allows it.

Claim tokens are drawn for one claim and nobody else's, so that a mail which the sweeper or another worker has by now is
left alone. Safety never depends on a clock: leases only decide when somebody else may try.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import lru_cache

from django.db import connection, transaction
from django.db.models import BigIntegerField, Case, CharField, Exists, OuterRef, Q, Value, When
from django.utils import timezone

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.ledger import clock, writing
from massmail_plugin.delivery.ledger.deadlocks import again_after_deadlock
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.statements import Move, Slot, numbered, slots
from massmail_plugin.mailings.states import RUNNING, DeliveryState
from massmail_plugin.recipients.leaving import opt_outs_of
from massmail_plugin.recipients.models import EmailAddress


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
            writing.write(known)
        # Last of all: what it asks about should be no older than need be.
        return {(pk, token) for (_run, token), claim in claims.items() for pk in _pass(claim)}


def _refuse_open_transaction() -> None:
    """The fence has to be a commit of its own: a transaction around it would void it."""
    if connection.in_atomic_block or not connection.get_autocommit():
        raise RuntimeError("Mails cannot be sent inside a transaction: the fence would not be committed.")


def _pass(claim: list[Delivery]) -> set[int]:
    """Move those to "handing" that may be sent, in one statement. They are of one run and one claim."""
    run, token = claim[0].run, claim[0].claim_token
    scopes, live = list(run.list_scopes), list(run.live_scopes)
    allowed = {delivery.pk for delivery in claim}
    lease_seconds = conf.get("LEASE_SECONDS")
    fence = _fence(len(claim), len(scopes), len(live), lease_seconds)
    now = timezone.now()
    times = {"now": now, "later": now + timedelta(seconds=lease_seconds)}
    values = {**times, **numbered("pk", allowed), **numbered("scope", scopes), **numbered("live", live)}
    moved = fence.run(token=token, run=run.pk, account=claim[0].account_id, **values)
    if moved < len(claim):
        handing = Delivery.ledger.filter(pk__in=allowed, claim_token=token, state=DeliveryState.HANDING)
        allowed = set(handing.values_list("pk", flat=True))
    return allowed


@lru_cache(maxsize=256)
def _fence(mails: int, scopes: int, live: int, lease_seconds: float) -> Move:
    """Return the fence for so many mails of a run that goes to so many lists, with so many segments live in them."""
    opt_outs = opt_outs_of(slots("scope", scopes, CharField()), slots("live", live, CharField()))
    opted_out = opt_outs.filter(address=OuterRef("address"))
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
    allowed = Delivery.ledger.filter(
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
