"""From one list to another: copying, moving and merging people.

Who has left a list has said no to what it brings. Under another list's name it would reach them again, so they
stay behind.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from massmail_plugin.audience.belonging import Record
from massmail_plugin.audience.members import add_keyed_members, records_of, remove_members, types_in
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address
from massmail_plugin.recipients.models import ListOptOut


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
    carried, _rows = _carry(source, target, members, added_by)
    return carried


def move_people(
    source: TargetListPage,
    target: TargetListPage,
    members: QuerySet[TargetListMember] | None = None,
    *,
    added_by: Any = None,
) -> Carried:
    """Do the same, and take those who are in ``target`` then out of ``source``."""
    with transaction.atomic():
        carried, rows = _carry(source, target, members, added_by)
        remove_members(source, rows)
    return carried


def _carry(
    source: TargetListPage,
    target: TargetListPage,
    members: QuerySet[TargetListMember] | None,
    added_by: Any,
) -> tuple[Carried, list[int]]:
    """Return what came of it, and the row numbers of those who are in both lists now."""
    have_left = who_left(source)
    chosen = source.members.all() if members is None else source.members.filter(pk__in=members.values("pk"))
    rows: list[int] = []
    ids: dict[str, list[str]] = defaultdict(list)
    stayed = 0
    # Read to the end first: the table is written to below.
    for pk, type_key, object_id in chosen.order_by("pk").values_list("pk", "recipient_type", "object_id"):
        if (type_key, object_id) in have_left:
            stayed += 1
        else:
            rows.append(pk)
            ids[type_key].append(object_id)
    carried = Carried(stayed=stayed)
    with transaction.atomic():
        for type_key, object_ids in ids.items():
            added = add_keyed_members(target, type_key, object_ids, added_by=added_by)
            carried += Carried(added.new, added.already)
    return carried, rows


def who_left(target_list: TargetListPage) -> set[Record]:
    """Return the records in the list whose people have left it."""
    opt_outs = ListOptOut.objects.filter(scope=target_list.consent_scope.key)
    keys = set(opt_outs.values_list("address__key", flat=True))
    if not keys:
        return set()
    return {
        (recipient_type.key, row.object_id)
        for recipient_type in types_in(target_list)
        for row in recipient_type.rows(records_of(target_list, recipient_type))
        if _key(row.email) in keys
    }


def _key(email: str) -> str:
    try:
        return parse_address(email).key
    except MalformedAddress:
        return ""
