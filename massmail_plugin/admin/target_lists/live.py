"""The segments whose people are in a target list as well, without being members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from massmail_plugin.admin import names
from massmail_plugin.admin.segments.counting import Number, number_of
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.access import segments_to_use
from massmail_plugin.audience.segments.models import Segment


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """One of a list's live segments, and how many people it brings in now."""

    segment: Segment
    number: Number
    #: Its own page; empty where the user may not look.
    url: str


def live_segments(target_list: TargetListPage, user: Any) -> list[LiveSegment]:
    """Return the live segments of ``target_list`` by name, each counted now."""
    seen = set(segments_to_use(user).filter(target_lists=target_list).values_list("pk", flat=True))
    return [
        LiveSegment(
            segment,
            number_of(segment, user),
            names.own_page(names.SEGMENTS, segment.pk) if segment.pk in seen else "",
        )
        for segment in target_list.live_segments.get_queryset().order_by("name", "pk")
    ]
