"""Where the people of a mailing come from. Target lists and segments look alike to everything that chooses people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import QuerySet

from massmail_plugin import recipients
from massmail_plugin.audience.members import every_record, member_pks, types_in
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.record_sets import in_any
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import people_of, why_unusable
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.consent import Scope


class Source(Protocol):
    """What a campaign goes to, or keeps out: a :class:`TargetListPage` or a :class:`Segment`."""

    @property
    def consent_scope(self) -> Scope:
        """Its name in the ledger and in consent, "list:7" for example, and its title."""

    @property
    def pk(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Part:
    """The people of one type in a source."""

    recipient_type: RecipientType
    #: Records of the host's model; each once, in no order.
    records: QuerySet[Any]


def parts_of(source: Source, *, hidden: bool = False) -> list[Part]:
    """Return who is in ``source`` now, by type in the order of their keys; nothing is read from the host's tables.

    ``hidden``: also the members of lists whose records are not to be mailed (``RecipientType.get_queryset``): who is
    kept out of a mailing is kept out when the host archives the record, too.

    Raises ``UnusableSegment``, whose text is for people, if nobody can say who is in a segment, or in a list that
    holds it: :func:`why_unusable_any` says so before.
    """
    if isinstance(source, Segment):
        people = people_of(source)
        return [Part(recipient_type, people) for recipient_type in [source.type] if recipient_type]
    if isinstance(source, TargetListPage):
        return _parts_of_list(source, hidden)
    raise TypeError(f"{type(source).__name__} is no source of people.")


def _parts_of_list(target_list: TargetListPage, hidden: bool) -> list[Part]:
    """Its members, and who is in its live segments now; who is both is in it once."""
    sets = {one.key: [member_pks(target_list, one)] for one in types_in(target_list)}
    for segment in target_list.live_segments.all():
        people = people_of(segment).values("pk")
        sets.setdefault(segment.recipient_type, []).append(people)
    types = [found for key in sorted(sets) if (found := recipients.get(key))]
    return [
        Part(one, (every_record(one) if hidden else one.get_queryset()).filter(in_any(sets[one.key])))
        for one in types
    ]


def types_of(sources: Iterable[Source]) -> list[RecipientType]:
    """Return the recipient types of the people in ``sources``, by key; segments that cannot be used have none."""
    found: dict[str, RecipientType] = {}
    for source in sources:
        for segment in segments_in(source):
            if segment.type:
                found[segment.type.key] = segment.type
        if isinstance(source, TargetListPage):
            found |= {one.key: one for one in types_in(source)}
    return [found[key] for key in sorted(found)]


def segments_in(source: Source) -> list[Segment]:
    """Return the segments that decide who is in ``source``: itself, or those that are live in a list."""
    if isinstance(source, Segment):
        return [source]
    return list(source.live_segments.all()) if isinstance(source, TargetListPage) else []


def why_unusable_any(sources: Iterable[Source]) -> list[str]:
    """Return a sentence for people for each segment in ``sources`` of which nobody can say who is in it."""
    segments = {segment.pk: segment for source in sources for segment in segments_in(source)}
    return [why for segment in segments.values() if (why := why_unusable(segment))]


def live_scopes_of(sources: Iterable[Source]) -> list[str]:
    """Return the keys of the segments that are live in lists of ``sources``: who left one is not brought in by it."""
    lists = [source for source in sources if isinstance(source, TargetListPage)]
    return sorted({segment.consent_scope.key for source in lists for segment in segments_in(source)})


def load_source(key: str) -> Source | None:
    """Return the source of that name ("list:7"); None if it is gone."""
    kind, _colon, pk = key.partition(":")
    source: Source | None = (TargetListPage if kind == "list" else Segment).objects.filter(pk=pk).first()
    return source


def scopes_of(sources: Iterable[Source]) -> list[Scope]:
    """Return what somebody can leave who gets a mailing to ``sources``."""
    return [source.consent_scope for source in sources]
