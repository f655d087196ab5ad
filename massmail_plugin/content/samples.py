"""Real people to show a template with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from massmail_plugin import recipients
from massmail_plugin.recipients import RecipientType

#: Recipient types that get samples of their own; the others are reached by their name or address.
_MAX_TYPES = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """One record of the host, as a recipient."""

    recipient_type: RecipientType
    record: Model

    @property
    def key(self) -> str:
        """Names the sample in a URL: "crm.contact:12"."""
        return f"{self.recipient_type.key}:{self.record.pk}"

    @property
    def name(self) -> str:
        return self.recipient_type.display_name(self.record) or self.email or _("Somebody without a name")

    @property
    def email(self) -> str:
        return self.recipient_type.record_email(self.record)

    @property
    def label(self) -> str:
        return f"{self.name} ({self.recipient_type.label})"

    @property
    def merge_values(self) -> dict[str, Any]:
        return self.recipient_type.merge_values(self.record)


def samples() -> list[Sample]:
    """Return for each recipient type its first record, and the first that lacks its first merge field."""
    return [
        Sample(recipient_type, record)
        for recipient_type in recipients.all_types()[:_MAX_TYPES]
        for record in _first_records(recipient_type)
    ]


def get_sample(key: str) -> Sample | None:
    """Return the sample with this key, or None if the record is gone."""
    type_key, _colon, object_id = key.partition(":")
    recipient_type = recipients.get(type_key)
    if recipient_type is None:
        return None
    try:
        record = recipient_type.get_queryset().filter(pk=object_id).first()
    except (ValueError, TypeError):  # not a primary key of this model
        return None
    return Sample(recipient_type, record) if record else None


def find_sample(query: str) -> Sample | None:
    """Return the first recipient whose name or address contains ``query``."""
    for recipient_type in recipients.all_types():
        condition = Q()
        for path in recipient_type.get_search_fields():
            condition |= Q(**{f"{path}__icontains": query})
        if condition and (record := _records(recipient_type).filter(condition).first()):
            return Sample(recipient_type, record)
    return None


def _first_records(recipient_type: RecipientType) -> Iterator[Model]:
    first = _records(recipient_type).first()
    if first is None:
        return
    yield first
    path = _greeting_field(recipient_type)
    nameless = _records(recipient_type).filter(**{path: ""}).first() if path else None
    if nameless is not None and nameless.pk != first.pk:
        yield nameless


def _greeting_field(recipient_type: RecipientType) -> str:
    """Return the merge field that a greeting would use, if it is a text column."""
    fields = [
        path for path in recipient_type.merge_fields if "name" in path and recipient_type.is_field(path)
    ]
    return next((path for path in fields if "first" in path), "")


def _records(recipient_type: RecipientType) -> QuerySet[Any]:
    """Return the records that have an address, oldest first."""
    path = recipient_type.email
    return (
        recipient_type.get_queryset()
        .exclude(**{path: ""})
        .exclude(**{f"{path}__isnull": True})
        .order_by("pk")
    )
