"""How the people of one list stand: who of them can be mailed, and why the others cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from massmail_plugin import recipients
from massmail_plugin.audience.members import records_of, type_keys_in
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.verdicts import Verdict, judge
from massmail_plugin.recipients.types import RecipientRow


@dataclass(slots=True)
class Standing:
    """The verdicts on members of one list, by (recipient type, object id)."""

    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)

    def verdict(self, member: TargetListMember) -> Verdict | None:
        """Return the verdict on ``member``; None if its record is gone."""
        return self.verdicts.get((member.recipient_type, member.object_id))

    def reason(self, recipient_type: str, object_id: str) -> str:
        """Return why this member gets no mail, as a :class:`Reason` value; empty: it gets one."""
        verdict = self.verdicts.get((recipient_type, object_id))
        return verdict.reason if verdict else Reason.RECORD_GONE

    def counts(self, members: int) -> Counter[str]:
        """Return how many of the list's ``members`` get no mail for which reason; "" counts those who do."""
        counts = Counter(str(verdict.reason) for verdict in self.verdicts.values())
        if gone := members - len(self.verdicts):
            counts[Reason.RECORD_GONE] += gone
        return counts


def standing_of(target_list: TargetListPage, type_keys: Iterable[str] | None = None) -> Standing:
    """Look at everybody in ``target_list``. Time and memory grow with the list.

    ``type_keys``: what ``type_keys_in(target_list)`` has said, for whoever has asked already.
    """
    return _standing(target_list, rows_of_members(target_list, type_keys))


def counts_of(target_list: TargetListPage, members: int) -> Counter[str]:
    """Return what ``standing_of(target_list).counts(members)`` would, without keeping what is said of each."""
    counts = Counter(str(verdict.reason) for verdict in judge(target_list, rows_of_members(target_list)))
    if gone := members - counts.total():
        counts[Reason.RECORD_GONE] += gone
    return counts


def standing_of_members(target_list: TargetListPage, members: Sequence[TargetListMember]) -> Standing:
    """Look at these members only; duplicates are then seen among them, and not among the whole list."""
    return _standing(target_list, _these(members))


def _standing(target_list: TargetListPage, rows: Iterator[tuple[str, RecipientRow]]) -> Standing:
    verdicts = judge(target_list, rows)
    return Standing({(verdict.recipient_type, verdict.object_id): verdict for verdict in verdicts})


def rows_of_members(
    target_list: TargetListPage, type_keys: Iterable[str] | None = None
) -> Iterator[tuple[str, RecipientRow]]:
    """Yield (type, record) for each member whose record is there. ``type_keys``: see ``standing_of``."""
    keys = type_keys_in(target_list) if type_keys is None else type_keys
    for recipient_type in filter(None, map(recipients.get, keys)):
        for row in recipient_type.rows(records_of(target_list, recipient_type)):
            yield recipient_type.key, row


def _these(members: Sequence[TargetListMember]) -> Iterator[tuple[str, RecipientRow]]:
    by_type = attrgetter("recipient_type")
    for key, group in groupby(sorted(members, key=by_type), key=by_type):
        recipient_type = recipients.get(key)
        if recipient_type is not None:
            ids = [member.object_id for member in group]
            for row in recipient_type.rows(recipient_type.get_queryset().filter(pk__in=ids)):
                yield key, row
