"""Takes up what dead workers have left."""

from __future__ import annotations

import logging
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Least
from django.utils.translation import gettext as _

from massmail_plugin import conf
from massmail_plugin.delivery.keeping.replaying import replay
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.ledger.deadlocks import again_after_deadlock
from massmail_plugin.delivery.ledger.suspects import is_suspect
from massmail_plugin.mailings import doubt
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import WAITING, DeliveryState, MailingState, move

logger = logging.getLogger("massmail_plugin.delivery")


def sweep() -> int:
    """Settle every claim whose lease has run out; returns how many mails moved.

    A mail that was only claimed is provably unsent and is queued again, unless its worker died when it was suspected
    before and its attempts are used up: a mail that kills each worker must not stop the others. One that was being
    handed over is in doubt.
    """
    # First: whose end is known is in no doubt.
    replay()
    now = clock.now()
    expired = Delivery.ledger.filter(lease_until__lt=now)
    spared = again_after_deadlock(lambda: _spare_bystanders(expired))
    died = _("The worker died while it was handing this mail over.")
    doubtful = again_after_deadlock(lambda: doubt.call_in_doubt(expired, died, now=now))
    poison, queued = again_after_deadlock(lambda: _take_back(expired))
    cancelled = again_after_deadlock(_cancel_forgotten)
    if doubtful or poison or spared or queued:
        logger.warning("Swept: %s in doubt, %s given up, %s queued again", doubtful, poison, spared + queued)
    return doubtful + poison + spared + queued + cancelled


def _take_back(expired: QuerySet[Delivery]) -> tuple[int, int]:
    """End the mails that have killed their workers, queue the others again. Returns how many of each."""
    claimed, allowed = expired.filter(state=DeliveryState.CLAIMED), conf.get("MAX_ATTEMPTS")
    poison = move(
        # With a time for the next attempt it was deferred before: it is no suspect yet, and has its last one again.
        claimed.filter(attempts__gte=allowed, next_attempt_at=None),
        DeliveryState.FAILED,
        lease_until=None,
        paced_at=None,
        detail=_("The worker died each time while it was preparing this mail."),
    )
    # Without a time for the next attempt: that is how a worker knows a suspect, and sends it alone.
    used = Least("attempts", Value(allowed - 1))
    return poison, move(claimed, DeliveryState.QUEUED, next_attempt_at=None, attempts=used, **_FREE)


def _cancel_forgotten() -> int:
    """A worker that gave mails back after their mailing was cancelled has queued them again."""
    cancelled_runs = Run.objects.filter(mailing__state=MailingState.CANCELLED)
    forgotten = Delivery.ledger.filter(state__in=WAITING, run__in=cancelled_runs)
    return move(forgotten, DeliveryState.CANCELLED)


def _spare_bystanders(expired: QuerySet[Delivery]) -> int:
    """Queue those claimed mails again that cannot have killed their worker; the attempt is not used.

    Workers that are killed for other reasons must not use up everybody's attempts.
    """
    left = expired.filter(state__in=(DeliveryState.CLAIMED, DeliveryState.HANDING)).order_by(
        "claim_token", "pk"
    )
    suspects = [
        delivery.pk
        for _token, claim in groupby(left.select_related("account"), attrgetter("claim_token"))
        for delivery in _suspects(list(claim))
    ]
    bystanders = expired.filter(state=DeliveryState.CLAIMED, attempts__gt=0).exclude(pk__in=suspects)
    return move(bystanders, DeliveryState.QUEUED, attempts=F("attempts") - 1, **_FREE)


def _suspects(claim: list[Delivery]) -> list[Delivery]:
    """Return those of a dead worker's mails that it may have died of: it takes them in order of their numbers.

    Of a first death all may be suspected that it could have had in hand. Those are sent alone from then on, so that
    a second death has one suspect.
    """
    suspected_before = [delivery for delivery in claim if is_suspect(delivery)]
    if suspected_before:
        return suspected_before[:1]
    at_a_time = claim[0].account.mails_under_way if claim[0].account else 1
    # On their way, made ahead for each connection, and just being made.
    return claim[: 2 * at_a_time + 1]


#: Fields of a mail that no worker has.
_FREE: dict[str, Any] = {"lease_until": None, "claim_token": "", "paced_at": None}
