"""Which of our mails does a provider's event speak about?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from massmail_plugin.delivery.mails import messages
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address

_NUMBER = re.compile(r"[0-9]{1,18}")
_MAX_LENGTH = 255


def delivery_of(event: Any) -> Delivery | None:
    """Return the delivery that an Anymail tracking event is about, or None if it is not surely one of ours.

    Tried in order: our metadata, the provider's id of the mail, our Message-ID. An event that names a
    recipient must name ours: a second site on the same provider account has deliveries with the same numbers.
    """
    candidates = Delivery.objects.exclude(address=None).select_related("address", "run", "account")
    recipient = text(event.recipient)
    if recipient:
        try:
            candidates = candidates.filter(address__key=parse_address(recipient).key)
        except MalformedAddress:
            return None
    for find in (_by_metadata, _by_provider_id, _by_message_id):
        found = find(candidates, event)
        if found is not None:
            return found
    return None


def text(value: Any) -> str:
    """Return a field of an event if it is a text, else nothing; what is sent to us may be anything."""
    return value.strip().replace("\x00", "") if isinstance(value, str) else ""


def _by_metadata(candidates: QuerySet[Delivery], event: Any) -> Delivery | None:
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    number = str(metadata.get("massmail_delivery", ""))
    return candidates.filter(pk=int(number)).first() if _NUMBER.fullmatch(number) else None


def _by_provider_id(candidates: QuerySet[Delivery], event: Any) -> Delivery | None:
    name = text(event.message_id)
    if not name or len(name) > _MAX_LENGTH:
        return None
    found = list(candidates.filter(provider_id=name)[:2])
    # Some providers give one id to all mails of a call; without a recipient it says nothing.
    return found[0] if len(found) == 1 else None


def _by_message_id(candidates: QuerySet[Delivery], event: Any) -> Delivery | None:
    """Our own Message-ID, which nobody can forge; through an SMTP relay it is the only id there is."""
    number = messages.delivery_of(text(event.message_id))
    return candidates.filter(pk=number).first() if number else None
