"""Who is in a target list through its live segments alone, without being a member."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from massmail_plugin import recipients
from massmail_plugin.audience.members import member_pks
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.record_sets import in_none
from massmail_plugin.audience.segments.criteria import UnusableSegment
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import people_of
from massmail_plugin.recipients import RecipientType


@dataclass(frozen=True, slots=True)
class LivePart:
    """Whom one live segment brings in beside the members and the segments before it."""

    segment: Segment
    #: Records of the host's model; none, and no type, if nobody can say who they are.
    records: QuerySet[Any]
    recipient_type: RecipientType | None = None
    #: Why nobody can, for people.
    fault: str = ""


def live_parts(target_list: TargetListPage) -> Iterator[LivePart]:
    """Yield the live segments of ``target_list`` by name, each with those whom no other source has brought in."""
    known: dict[str, list[QuerySet[Any]]] = defaultdict(list)
    for segment in target_list.live_segments.get_queryset().order_by("name", "pk"):
        try:
            people = people_of(segment)
        except UnusableSegment as unusable:
            yield LivePart(segment, Segment.objects.none(), fault=str(unusable))
            continue
        recipient_type = recipients.get(segment.recipient_type)
        assert recipient_type is not None
        others = known[recipient_type.key] or [member_pks(target_list, recipient_type)]
        new = recipient_type.get_queryset().filter(pk__in=people.values("pk"))
        yield LivePart(segment, new.filter(in_none(new, others)), recipient_type)
        known[recipient_type.key] = [*others, people.order_by().values("pk")]
