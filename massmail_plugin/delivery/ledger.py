"""Claims, the fence and outcomes: every write to the ledger while mails are being sent.

Each is one conditional UPDATE in a transaction of its own. Safety never depends on a clock: leases only
decide when somebody else may try.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.headers import clean_header
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import RUNNING, DeliveryState, move
from massmail_plugin.recipients.models import EmailAddress, ListOptOut


def accounts_of(run: Run) -> QuerySet[SenderAccount]:
    """Return the accounts that are ready to send the mails of ``run``."""
    owner_id = run.mailing.owner_id if run.own_accounts else None
    ready = SenderAccount.objects.filter(state=SenderAccount.State.READY, owner_id=owner_id)
    # The owner was deleted, and the accounts with them: what is everybody's is not the owner's own.
    return ready.none() if run.own_accounts and owner_id is None else ready


def runs_through(account: SenderAccount) -> QuerySet[Run]:
    """Return the running runs whose mails may leave through ``account``: see ``Run.own_accounts``."""
    running = Run.objects.filter(finished_at=None, mailing__state__in=RUNNING)
    if account.owner_id is None:
        return running.filter(own_accounts=False)
    return running.filter(own_accounts=True, mailing__owner_id=account.owner_id)


def due(account: SenderAccount) -> QuerySet[Delivery]:
    """Return the deliveries that ``account`` could send now."""
    waiting = Q(state=DeliveryState.QUEUED) | Q(
        state=DeliveryState.DEFERRED, next_attempt_at__lte=timezone.now()
    )
    return Delivery.objects.filter(waiting, run__in=runs_through(account))


def claim(account: SenderAccount, limit: int) -> list[Delivery]:
    """Take up to ``limit`` due deliveries for this worker alone, for LEASE_SECONDS."""
    token = uuid.uuid4().hex
    with transaction.atomic():
        candidates = due(account).order_by("pk")
        if connection.features.has_select_for_update_skip_locked:
            candidates = candidates.select_for_update(skip_locked=True, of=("self",))
        ids = [pk for (pk,) in candidates.values_list("pk")[:limit]]
        move(
            Delivery.objects.filter(pk__in=ids),
            DeliveryState.CLAIMED,
            claim_token=token,
            lease_until=timezone.now() + timedelta(seconds=conf.get("LEASE_SECONDS")),
            attempts=F("attempts") + 1,
            account=account,
        )
    claimed = Delivery.objects.filter(claim_token=token, state=DeliveryState.CLAIMED)
    return list(claimed.select_related("run__mailing__campaign", "address").order_by("pk"))


def commit_to_send(delivery: Delivery) -> bool:
    """The fence: record the intent to send, if everything still allows it. False: it must not be sent.

    Still this worker's, lease alive, mailing running, account ready, and nobody has said no in the meantime.
    The Message-ID that the mail leaves with is written down with the intent, so that a mail in doubt can be
    looked for.
    """
    opted_out = ListOptOut.objects.filter(
        address=OuterRef("address"), scope__in=list(delivery.run.list_scopes)
    )
    mailable = EmailAddress.objects.filter(
        pk=OuterRef("address"), invalid_since=None, opted_out_since=None, complained_since=None
    )
    allowed = _mine(delivery).filter(
        ~Exists(opted_out),
        Exists(mailable),
        Exists(Run.objects.filter(pk=OuterRef("run"), mailing__state__in=RUNNING)),
        Exists(SenderAccount.objects.filter(pk=OuterRef("account"), state=SenderAccount.State.READY)),
        lease_until__gt=timezone.now(),
    )
    with transaction.atomic(durable=True):
        return bool(move(allowed, DeliveryState.HANDING, message_id=delivery.message_id))


def settle(delivery: Delivery, state: DeliveryState, *, detail: str = "", provider_id: str = "") -> bool:
    """Write the end of this worker's attempt. False: the sweeper or another worker has the mail by now."""
    now = timezone.now()
    fields: dict[str, Any] = {"handed_at": now} if state == DeliveryState.ACCEPTED else {}
    if provider_id:
        fields["provider_id"] = provider_id
    return bool(move(_mine(delivery), state, detail=clean_header(detail, 1000), lease_until=None, **fields))


def defer(delivery: Delivery, *, detail: str, seconds: float) -> bool:
    """Give the mail back, to be tried again in ``seconds``; the attempt is used."""
    later = timezone.now() + timedelta(seconds=seconds)
    return bool(
        move(
            _mine(delivery),
            DeliveryState.DEFERRED,
            detail=clean_header(detail, 1000),
            lease_until=None,
            next_attempt_at=later,
        )
    )


def skip(delivery: Delivery, reason: str) -> bool:
    """Leave the recipient out, with the reason."""
    return bool(move(_mine(delivery), DeliveryState.SKIPPED, reason=reason, lease_until=None))


def give_back(deliveries: Iterable[Delivery]) -> int:
    """Queue mails again that were claimed and not tried; the attempt is not used.

    Only while they stand at "claimed": one that has passed the fence may be on its way.
    """
    deliveries = list(deliveries)
    mine = Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in deliveries],
        claim_token__in={delivery.claim_token for delivery in deliveries},
        state=DeliveryState.CLAIMED,
    )
    return move(mine, DeliveryState.QUEUED, **_UNTOUCHED)


def take_back(delivery: Delivery) -> bool:
    """Queue a mail again that was tried and is known not to have been sent; the attempt is not used."""
    return bool(move(_mine(delivery), DeliveryState.QUEUED, **_UNTOUCHED))


#: Fields of a delivery that is queued again as if nobody had claimed it.
_UNTOUCHED = {"attempts": F("attempts") - 1, "lease_until": None, "claim_token": ""}


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk=delivery.pk, claim_token=delivery.claim_token)
