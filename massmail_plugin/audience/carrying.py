"""From one list to another: copying, moving and merging people.

Who has left a list has said no to what it brings. Under another list's name it would reach them again, so they
stay behind.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from massmail_plugin import recipients
from massmail_plugin.audience.members import (
    every_record,
    insert_members,
    type_keys_in,
)
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.spelled import with_address
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.leaving import opt_outs_of
from massmail_plugin.recipients.models import ConsentEvent

#: Rows of one statement.
_CHUNK = 5_000


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
    chosen: QuerySet[TargetListMember] = source.members.all()
    if members is not None:
        chosen = chosen.filter(pk__in=members.order_by().values("pk"))
    new = stayed = number = 0
    with transaction.atomic():
        for type_key in type_keys_in(source):
            left = set(_who_left(source, type_key))
            rows = chosen.filter(recipient_type=type_key).order_by("pk").values_list("pk", flat=True)
            # Read to the end first: the table is written to below. Eight bytes for each.
            all_rows = array("q", rows.iterator(chunk_size=10_000))
            for start in range(0, len(all_rows), _CHUNK):
                chunk = all_rows[start : start + _CHUNK]
                going = [pk for pk in chunk if pk not in left]
                # By number, and not from - to: somebody who has left may come in between two others meanwhile.
                these = source.members.filter(pk__in=going).order_by("pk")
                new += insert_members(target, type_key, these, F("object_id"), added_by=added_by)
                number += len(going)
                stayed += len(chunk) - len(going)
                if moving:
                    these.delete()
    return Carried(new, number - new, stayed)


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


def _who_left(source: TargetListPage, type_key: str) -> Iterator[int]:
    """Yield the row numbers of the members of this type whose people have left the list."""
    recipient_type = recipients.get(type_key)
    left = opt_outs_of([source.consent_scope.key])
    if recipient_type is None or not left.exists():
        return
    # Also records that are hidden today: tomorrow they are not. One question to the host's table, and one to ours:
    # put together, PostgreSQL may ask the one for each row of the other.
    records = every_record(recipient_type)
    for found in with_address(records, recipient_type.email, left.values("address__key")):
        ids = map(str, found.values_list("pk", flat=True).iterator(chunk_size=_CHUNK))
        while chunk := list(islice(ids, _CHUNK)):
            members = source.members.filter(recipient_type=type_key, object_id__in=chunk)
            yield from members.values_list("pk", flat=True)
