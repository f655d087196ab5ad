"""Writing down what came back about a mail: each fact once, together with what it proves and what it asks for."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from massmail_plugin.content.headers import clean_header
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery, TrackedLink
from massmail_plugin.mailings.states import DeliveryState, move

DETAIL_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a mail after it left."""

    kind: DeliveryEvent.Kind
    at: datetime
    link: TrackedLink | None = None
    #: For people; any text, it is made clean and short.
    detail: str = ""


def record(
    delivery: Delivery, fact: Fact, key: str = "", *, then: Callable[[], object] | None = None
) -> bool:
    """Store ``fact`` and call ``then``, both or neither. False: it was known already, and nothing was done.

    ``key`` names the fact; facts without one are all different.
    """
    fields = {
        "delivery": delivery,
        "kind": fact.kind,
        "at": fact.at,
        "link": fact.link,
        "detail": clean_header(fact.detail, DETAIL_LENGTH),
    }
    with transaction.atomic():
        if not _is_new(fields, key):
            return False
        settle_doubt(delivery)
        if then is not None:
            then()
    return True


def _is_new(fields: dict[str, Any], key: str) -> bool:
    if not key:
        DeliveryEvent.objects.create(**fields, dedupe_key=uuid.uuid4().hex)
        return True
    # The unique key decides between two requests that bring the same event at the same time.
    return DeliveryEvent.objects.get_or_create(dedupe_key=key, defaults=fields)[1]


def settle_doubt(delivery: Delivery) -> None:
    """Something came back, so the mail had been taken: one in doubt counts as sent.

    So does one whose handing over has not been written down yet: if its worker has died the sweeper would call
    it in doubt later, and the end must not depend on which of the two comes first. Evidence only ever moves
    to "sent".
    """
    if delivery.state == DeliveryState.ACCEPTED:
        return  # No move leads away from there, so that even an old copy tells the truth.
    unsure = Delivery.objects.filter(
        pk=delivery.pk, state__in=(DeliveryState.IN_DOUBT, DeliveryState.HANDING)
    )
    move(
        unsure,
        DeliveryState.ACCEPTED,
        lease_until=None,
        handed_at=Coalesce("handed_at", Value(timezone.now(), DateTimeField())),
        detail=_("What came back proves that it was sent."),
    )


def event_key(
    esp: str, delivery_id: int, kind: str, at: datetime | None, *, url: str = "", event_id: str = ""
) -> str:
    """Return the name of a provider's event, the same each time that the provider repeats it.

    A time tells events apart well enough. The provider's id only counts without one: many have no id, and
    Mailgun's is the token of the signature, which need not be the same when the event is sent again.
    """
    parts = [esp, delivery_id, kind, at.isoformat() if at else event_id, url]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
