"""How the people of one list stand: who of them can be mailed, and why the others cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from massmail_plugin import recipients
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.resolve import Candidate, judge, resolve
from massmail_plugin.recipients.types import RecipientRow


@dataclass(slots=True)
class Standing:
    """The verdicts on members of one list, by (recipient type, object id)."""

    candidates: dict[tuple[str, str], Candidate] = field(default_factory=dict)

    def candidate(self, member: TargetListMember) -> Candidate | None:
        """Return the verdict on ``member``; None if its record is gone."""
        return self.candidates.get((member.recipient_type, member.object_id))

    def reason(self, recipient_type: str, object_id: str) -> str:
        """Return why this member gets no mail, as a :class:`Reason` value; empty: it gets one."""
        candidate = self.candidates.get((recipient_type, object_id))
        return candidate.reason if candidate else Reason.RECORD_GONE

    def counts(self, members: int) -> Counter[str]:
        """Return how many of the list's ``members`` get no mail for which reason; "" counts those who do."""
        counts = Counter(str(candidate.reason) for candidate in self.candidates.values())
        if gone := members - len(self.candidates):
            counts[Reason.RECORD_GONE] += gone
        return counts


def standing_of(target_list: TargetListPage) -> Standing:
    """Look at everybody in ``target_list``. Time and memory grow with the list."""
    return Standing(_by_record(resolve([target_list])))


def standing_of_members(target_list: TargetListPage, members: Sequence[TargetListMember]) -> Standing:
    """Look at these members only; duplicates are then seen among them, and not among the whole list."""
    return Standing(_by_record(judge(_rows(target_list, members), [target_list])))


def _by_record(candidates: Iterator[Candidate]) -> dict[tuple[str, str], Candidate]:
    return {(candidate.recipient_type, candidate.object_id): candidate for candidate in candidates}


def _rows(
    target_list: TargetListPage, members: Sequence[TargetListMember]
) -> Iterator[tuple[str, int, RecipientRow]]:
    by_type = attrgetter("recipient_type")
    for key, group in groupby(sorted(members, key=by_type), key=by_type):
        recipient_type = recipients.get(key)
        if recipient_type is not None:
            ids = [member.object_id for member in group]
            for row in recipient_type.rows(recipient_type.get_queryset().filter(pk__in=ids)):
                yield key, target_list.pk, row
