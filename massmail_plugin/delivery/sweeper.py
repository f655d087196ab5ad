"""Takes up what dead workers have left."""

from __future__ import annotations

import logging

from django.db.models import F, Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from massmail_plugin import conf
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import WAITING, DeliveryState, MailingState, move

logger = logging.getLogger("massmail_plugin.delivery")


def sweep() -> int:
    """Settle every claim whose lease has run out; returns how many mails moved.

    A mail that was only claimed is provably unsent and is queued again, unless it has used up its attempts:
    a mail that kills each worker must not stop the others. One that was being handed over is in doubt: it
    is listed by name and never sent again by itself.
    """
    expired = Delivery.objects.filter(lease_until__lt=timezone.now())
    spared = _spare_bystanders(expired)
    doubtful = move(
        expired.filter(state=DeliveryState.HANDING),
        DeliveryState.IN_DOUBT,
        lease_until=None,
        detail=_("The worker died while it was handing this mail over."),
    )
    claimed = expired.filter(state=DeliveryState.CLAIMED)
    poison = move(
        claimed.filter(attempts__gte=conf.get("MAX_ATTEMPTS")),
        DeliveryState.FAILED,
        lease_until=None,
        detail=_("The worker died each time while it was preparing this mail."),
    )
    queued = spared + move(claimed, DeliveryState.QUEUED, lease_until=None, claim_token="")
    # A worker that gave mails back after their mailing was cancelled has queued them again.
    cancelled_runs = Run.objects.filter(mailing__state=MailingState.CANCELLED)
    forgotten = Delivery.objects.filter(state__in=WAITING, run__in=cancelled_runs)
    cancelled = move(forgotten, DeliveryState.CANCELLED)
    if doubtful or poison or queued:
        logger.warning("Swept: %s in doubt, %s given up, %s queued again", doubtful, poison, queued)
    return doubtful + poison + queued + cancelled


def _spare_bystanders(expired: QuerySet[Delivery]) -> int:
    """Queue those claimed mails again whose turn had not come when their worker died; the attempt is not used.

    A worker takes the mails of a claim in order of their numbers, so that only the first one left can be what
    killed it. Workers that are killed for other reasons must not use up everybody's attempts.
    """
    left = expired.filter(state__in=(DeliveryState.CLAIMED, DeliveryState.HANDING)).order_by()
    suspects = list(left.values("claim_token").annotate(first=Min("pk")).values_list("first", flat=True))
    bystanders = expired.filter(state=DeliveryState.CLAIMED, attempts__gt=0).exclude(pk__in=suspects)
    return move(
        bystanders, DeliveryState.QUEUED, lease_until=None, claim_token="", attempts=F("attempts") - 1
    )
