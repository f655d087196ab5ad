"""From one list to another: copying, moving and merging people.

Who has left a list has said no to what it brings. Under another list's name it would reach them again, so they
stay behind.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from massmail_plugin import recipients
from massmail_plugin.audience.members import every_record, insert_members
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.spelled import with_address
from massmail_plugin.audience.verdicts import opt_outs_from
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import ConsentEvent

#: Rows that are carried by one statement.
PORTION = 5_000


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of carrying people over."""

    new: int = 0
    #: How many were in the other list before.
    already: int = 0
    #: How many stayed behind because they have left the list that they are in.
    stayed: int = 0

    def __add__(self, other: Carried) -> Carried:
        return Carried(self.new + other.new, self.already + other.already, self.stayed + other.stayed)


def copy_people(
    source: TargetListPage,
    target: TargetListPage,
    members: QuerySet[TargetListMember] | None = None,
    *,
    added_by: Any = None,
) -> Carried:
    """Add everybody in ``source``, or those of its ``members``, to ``target`` as well."""
    return _carry(source, target, members, added_by, moving=False)


def move_people(
    source: TargetListPage,
    target: TargetListPage,
    members: QuerySet[TargetListMember] | None = None,
    *,
    added_by: Any = None,
) -> Carried:
    """Do the same, and take those who are in ``target`` then out of ``source``."""
    return _carry(source, target, members, added_by, moving=True)


def _carry(
    source: TargetListPage,
    target: TargetListPage,
    members: QuerySet[TargetListMember] | None,
    added_by: Any,
    *,
    moving: bool,
) -> Carried:
    carried = Carried()
    with transaction.atomic():
        for rows in rows_of(source, members):
            carried += carry_rows(source, target, rows, added_by=added_by, moving=moving)
    return carried


def rows_of(
    source: TargetListPage, members: QuerySet[TargetListMember] | None = None
) -> Iterator[Sequence[int]]:
    """Yield the numbers of the rows of everybody in ``source``, or of those of its ``members``, in portions."""
    chosen: QuerySet[TargetListMember] = source.members.all()
    if members is not None:
        chosen = chosen.filter(pk__in=members.order_by().values("pk"))
    numbers = chosen.order_by("pk").values_list("pk", flat=True)
    # Read to the end first: the table is written to in between. Eight bytes for each.
    found = array("q", numbers.iterator(chunk_size=10_000))
    for start in range(0, len(found), PORTION):
        yield found[start : start + PORTION]


def carry_rows(
    source: TargetListPage, target: TargetListPage, rows: Sequence[int], *, added_by: Any, moving: bool
) -> Carried:
    """Carry one portion, in the caller's transaction. Who is no longer in ``source`` is not counted."""
    new = number = stayed = 0
    for type_key, members in _by_type(source, rows).items():
        left = _who_left(source, type_key, members.values())
        going = [row for row, object_id in members.items() if object_id not in left]
        # By number, and not from - to: somebody who has left may come in between two others meanwhile.
        these = source.members.filter(pk__in=going).order_by("pk")
        new += insert_members(target, type_key, these, F("object_id"), added_by=added_by)
        number += len(going)
        stayed += len(members) - len(going)
        if moving:
            these.delete()
    return Carried(new, number - new, stayed)


def _by_type(source: TargetListPage, rows: Sequence[int]) -> dict[str, dict[int, str]]:
    """Return the records' keys by row, by type."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    there = source.members.filter(pk__in=rows).order_by("recipient_type", "pk")
    for row, type_key, object_id in there.values_list("pk", "recipient_type", "object_id"):
        found[type_key][row] = object_id
    return found


def _who_left(source: TargetListPage, type_key: str, object_ids: Collection[str]) -> set[str]:
    """Return those of the records, all of this type, whose people have left the list, or a segment in it."""
    recipient_type = recipients.get(type_key)
    left = opt_outs_from(source)
    if recipient_type is None or not left.exists():
        return set()
    # Also records that are hidden today: tomorrow they are not.
    records = every_record(recipient_type).filter(pk__in=object_ids)
    keys = left.values("address__key")
    return {
        str(pk)
        for found in with_address(records, recipient_type.email, keys)
        for pk in found.values_list("pk", flat=True)
    }


def copy_list(source: TargetListPage, target: TargetListPage, *, copied_by: Any = None) -> Carried:
    """Give ``target``, a new page that Wagtail has copied from ``source``, the people and the live segments too.

    Who has left ``source`` has left ``target``, or a segment would bring them back.
    """
    with transaction.atomic():
        if segments := list(source.live_segments.all()):
            how = How(
                ConsentEvent.Method.OPERATOR, _("Had left the list that this one is a copy of."), copied_by
            )
            consent.opt_out_like(source.consent_scope, target.consent_scope, how)
            _follow(target, segments, copied_by)
        return copy_people(source, target, added_by=copied_by)


def _follow(target: TargetListPage, segments: list[Segment], user: Any) -> None:
    target.live_segments.set(segments)
    target.save(clean=False)
    # Otherwise the next one to save the page would save it as it was copied, without them.
    target.save_revision(user=user, changed=False, clean=False)
