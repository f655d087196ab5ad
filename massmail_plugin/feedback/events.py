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

from massmail_plugin.content.headers import clean_header
from massmail_plugin.feedback import evidence
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery, TrackedLink

DETAIL_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a mail after it left."""

    kind: DeliveryEvent.Kind
    at: datetime
    link: TrackedLink | None = None
    #: For people; any text, it is made clean and short.
    detail: str = ""
    #: Known because something has opened an address of ours, and not by anybody's report or answer.
    by_a_look: bool = False


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
        evidence.settle_doubt(delivery, fact.kind, fact.at, by_a_look=fact.by_a_look)
        if then is not None:
            then()
    return True


def _is_new(fields: dict[str, Any], key: str) -> bool:
    if not key:
        DeliveryEvent.objects.create(**fields, dedupe_key=uuid.uuid4().hex)
        return True
    # The unique key decides between two requests that bring the same event at the same time.
    return DeliveryEvent.objects.get_or_create(dedupe_key=key, defaults=fields)[1]


def event_key(
    esp: str, delivery_id: int, kind: str, at: datetime | None, *, url: str = "", event_id: str = ""
) -> str:
    """Return the name of a provider's event, the same each time that the provider repeats it.

    A time tells events apart well enough. The provider's id only counts without one: many have no id, and
    Mailgun's is the token of the signature, which need not be the same when the event is sent again.
    """
    parts = [esp, delivery_id, kind, at.isoformat() if at else event_id, url]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
