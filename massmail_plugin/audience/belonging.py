"""From an address to the records that have it, and to the lists that they are in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import idna
from django.db.models import Q, QuerySet

from massmail_plugin import recipients
from massmail_plugin.audience.members import every_record
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.segments.criteria import UnusableSegment
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import people_of
from massmail_plugin.audience.spelled import with_key
from massmail_plugin.recipients import RecipientType

#: A record as the ledger and the lists name it: key of the recipient type, primary key as text.
Record = tuple[str, str]


def records_with(key: str, *, hidden: bool = False) -> list[Record]:
    """Return the records of any type whose address is ``key``, however they spell it; in a fixed order.

    ``hidden``: those too that are not to be mailed, because the host has archived them, for example. Reads the address
    of every record: for what people ask for one by one.
    """
    return [
        (recipient_type.key, object_id)
        for recipient_type in recipients.all_types()
        for object_id in _ids_with(recipient_type, key, hidden)
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


def lists_through_segments(records: Iterable[Record]) -> QuerySet[TargetListPage]:
    """Return the lists that one of these records is in now because a live segment brings it in.

    One short query for each segment that is live in any list. Of segments that cannot be used nobody knows.
    """
    ids: dict[str, list[str]] = defaultdict(list)
    for type_key, object_id in records:
        ids[type_key].append(object_id)
    live = Segment.objects.filter(recipient_type__in=list(ids), target_lists__isnull=False)
    segments = {segment.pk: segment for segment in live}.values()
    theirs = [segment.pk for segment in segments if _has_any(segment, ids[segment.recipient_type])]
    return TargetListPage.objects.filter(live_segments__in=theirs).distinct()


def _has_any(segment: Segment, object_ids: list[str]) -> bool:
    try:
        return people_of(segment).filter(pk__in=object_ids).exists()
    except UnusableSegment:
        return False


def _ids_with(recipient_type: RecipientType, key: str, hidden: bool) -> Iterator[str]:
    records = every_record(recipient_type) if hidden else recipient_type.get_queryset()
    yield from map(str, with_key(records, recipient_type.email, key))


def spellings(key: str) -> set[str]:
    """Return the normalised address with its domain in ASCII, and as people write it."""
    local, _at, domain = key.rpartition("@")
    if "xn--" not in domain:
        return {key}
    try:
        return {key, f"{local}@{idna.decode(domain)}"}
    except idna.IDNAError:
        return {key}
