"""Which of the host's records have one of these addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.db.models.functions import Lower, Trim

from massmail_plugin.audience import belonging
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records, choosable_types
from massmail_plugin.recipients.addresses import key_of
from massmail_plugin.recipients.models import Subscriber


def find_records(keys: Collection[str], user: Any) -> dict[str, tuple[RecipientType, str]]:
    """Return for each normalised address the first record that has it: its type and its primary key as text.

    Looks at the records that ``user`` may choose, type by type in the order in which the host registered them.
    """
    found: dict[str, tuple[RecipientType, str]] = {}
    for recipient_type in choosable_types(user):
        missing = set(keys) - found.keys()
        if recipient_type.model is not Subscriber and missing:
            for key, pk in _having(recipient_type, missing, user):
                found.setdefault(key, (recipient_type, pk))
    return found


def _having(recipient_type: RecipientType, keys: set[str], user: Any) -> Iterator[tuple[str, str]]:
    written = Lower(Trim(recipient_type.email))
    records = choosable_records(user, recipient_type).annotate(massmail_written=written).order_by("pk")
    spellings = {spelling for key in keys for spelling in belonging.spellings(key)}
    for pk, email in records.filter(massmail_written__in=spellings).values_list("pk", recipient_type.email):
        # Some databases find "josé" for "jose".
        key = key_of(email)
        if key in keys:
            yield key, str(pk)
