"""Real people to show a template with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from massmail_plugin import recipients
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records

#: Recipient types that get samples of their own; the others are reached by their name or address.
_MAX_TYPES = 8
_NAMELESS = "nameless"


@dataclass(frozen=True, slots=True)
class Sample:
    """One record of the host, as a recipient."""

    recipient_type: RecipientType
    record: Model

    @property
    def name(self) -> str:
        return self.recipient_type.display_name(self.record) or self.email or _("Somebody without a name")

    @property
    def email(self) -> str:
        return self.recipient_type.record_email(self.record)

    @property
    def merge_values(self) -> dict[str, Any]:
        return self.recipient_type.merge_values(self.record)


def sample_choices() -> list[tuple[str, str]]:
    """Return (key, label) for each recipient type's first record, and for its first without a first name.

    The labels name no person: the panel shows them to everybody, whatever records they may see.
    """
    choices = []
    for recipient_type in recipients.all_types()[:_MAX_TYPES]:
        choices.append((recipient_type.key, recipient_type.label))
        if path := _greeting_field(recipient_type):
            field = path.rpartition("__")[2].replace("_", " ")
            label = _("{label} without {field}").format(label=recipient_type.label, field=field)
            choices.append((f"{recipient_type.key}:{_NAMELESS}", label))
    return choices


def get_sample(key: str, user: Any) -> Sample | None:
    """Return the sample of one of the choices, or None if there is no such record that ``user`` may see."""
    type_key, _colon, which = key.partition(":")
    recipient_type = recipients.get(type_key)
    if recipient_type is None:
        return None
    records = _records(recipient_type, user)
    if which == _NAMELESS and (path := _greeting_field(recipient_type)):
        records = records.filter(**{path: ""})
    record = records.first()
    return Sample(recipient_type, record) if record else None


def first_sample(user: Any) -> Sample | None:
    """Return the first record of the first recipient type that has any which ``user`` may see."""
    found = (get_sample(recipient_type.key, user) for recipient_type in recipients.all_types())
    return next((sample for sample in found if sample), None)


def find_sample(query: str, user: Any) -> Sample | None:
    """Return the first recipient, among those that ``user`` may see, who is found by ``query``."""
    for recipient_type in recipients.all_types():
        if recipient_type.get_search_fields():
            record = recipient_type.search(_records(recipient_type, user), query).first()
            if record:
                return Sample(recipient_type, record)
    return None


def _greeting_field(recipient_type: RecipientType) -> str:
    """Return the merge field that a greeting would use, if it is a text column."""
    fields = [
        path for path in recipient_type.merge_fields if "name" in path and recipient_type.is_field(path)
    ]
    return next((path for path in fields if "first" in path), "")


def _records(recipient_type: RecipientType, user: Any) -> QuerySet[Any]:
    """Return the records that ``user`` may see and that have an address, oldest first."""
    path = recipient_type.email
    return (
        choosable_records(user, recipient_type)
        .exclude(**{path: ""})
        .exclude(**{f"{path}__isnull": True})
        .order_by("pk")
    )
