"""How big a target list is, in a few words."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import ngettext

from massmail_plugin.audience.models import TargetListPage


def with_sizes(lists: QuerySet[TargetListPage]) -> QuerySet[Any]:
    """Return ``lists`` by title, with what :func:`size_of` needs, in one query for all."""
    return lists.annotate(
        members_number=Count("members", distinct=True),
        segments_number=Count("live_segments", distinct=True),
    ).order_by("title", "pk")


def size_of(target_list: Any) -> str:
    """Return, for example, "12 people and 1 segment": nobody counts a segment's people for every list shown."""
    people, segments = target_list.members_number, target_list.segments_number
    parts = []
    if people or not segments:
        parts.append(ngettext("%(number)d person", "%(number)d people", people) % {"number": people})
    if segments:
        parts.append(ngettext("%(number)d segment", "%(number)d segments", segments) % {"number": segments})
    return " + ".join(parts)
