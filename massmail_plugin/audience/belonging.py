"""From an address to the records that have it, and to the lists that they are in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import idna
from django.db.models import Q, QuerySet

from massmail_plugin import recipients
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address

#: A record as the ledger and the lists name it: key of the recipient type, primary key as text.
Record = tuple[str, str]


def records_with(key: str) -> list[Record]:
    """Return the records of any type whose address is ``key``, however they spell it; in a fixed order.

    Reads the address of every record: for what people ask for one by one.
    """
    return [
        (recipient_type.key, object_id)
        for recipient_type in recipients.all_types()
        for object_id in _ids_with(recipient_type, key)
    ]


def members_of(records: Iterable[Record]) -> QuerySet[TargetListMember]:
    """Return the memberships of these records in any list."""
    ids: dict[str, list[str]] = defaultdict(list)
    for type_key, object_id in records:
        ids[type_key].append(object_id)
    conditions = [Q(recipient_type=type_key, object_id__in=found) for type_key, found in ids.items()]
    if not conditions:
        return TargetListMember.objects.none()
    return TargetListMember.objects.filter(Q(*conditions, _connector=Q.OR))


def _ids_with(recipient_type: RecipientType, key: str) -> Iterator[str]:
    field = recipient_type.email
    spelled = [Q(**{f"{field}__icontains": spelling}) for spelling in spellings(key)]
    records = recipient_type.get_queryset().filter(Q(*spelled, _connector=Q.OR)).order_by("pk")
    for pk, email in records.values_list("pk", field):
        try:
            if parse_address(email or "").key == key:
                yield str(pk)
        except MalformedAddress:
            continue


def spellings(key: str) -> set[str]:
    """Return the normalised address with its domain in ASCII, and as people write it."""
    local, _at, domain = key.rpartition("@")
    if "xn--" not in domain:
        return {key}
    try:
        return {key, f"{local}@{idna.decode(domain)}"}
    except idna.IDNAError:
        return {key}
