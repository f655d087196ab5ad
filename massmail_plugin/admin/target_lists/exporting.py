"""The people of a list as a spreadsheet: its members, and whoever is in its live segments now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _

from massmail_plugin.admin.exporting import Exported, Spreadsheet
from massmail_plugin.admin.target_lists.rows import STATUSES, member_rows
from massmail_plugin.audience.live_people import LivePart, live_parts
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.standing import Standing, rows_of_members, standing_of_members
from massmail_plugin.audience.verdicts import Verdict, judge
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records
from massmail_plugin.recipients.types import RecipientRow

_CHUNK = 500
#: Up to so many people of a list, segments included, a second record with an address is found wherever the first one
#: is; above, only near it: the addresses of all would have to be kept in mind.
_COMPARED_UP_TO = 20_000


class ExportedMembers(Exported):
    """Mixed into the members screen."""

    def spreadsheet(self) -> Spreadsheet:
        view: Any = self
        name = slugify(view.target_list.title) or f"list-{view.target_list.pk}"
        headings = [
            _("Name"), _("E-mail address"), _("Type"), _("Status"), _("Details"), _("Added"), _("In the list through"),
        ]  # fmt: skip
        return name, headings, self._rows(view.object_list, view.standing)

    def _rows(self, members: QuerySet[TargetListMember], standing: Standing | None) -> Iterator[list[Any]]:
        """Yield the members and the others, those with the status that the screen is filtered by."""
        view: Any = self
        for reason, row in chain(self._members(members, standing), self._through_segments()):
            if reason is None or view.status_shown in (None, reason):
                yield row

    def _members(
        self, members: QuerySet[TargetListMember], standing: Standing | None
    ) -> Iterator[tuple[str, list[Any]]]:
        view: Any = self
        # In the order of their numbers: pages of a sorted listing would be read again and again.
        rest = members.order_by("pk").iterator(chunk_size=_CHUNK)
        while chunk := list(islice(rest, _CHUNK)):
            known = standing or standing_of_members(view.target_list, chunk)
            added = {member.pk: member.added_at for member in chunk}
            for row in member_rows(chunk, known, view.request.user):
                moment = date_format(timezone.localtime(added[row.pk]), "Y-m-d H:i")
                cells = [row.name, row.email, row.type_label, row.status, row.detail, moment, _("Member")]
                yield row.reason, cells

    def _through_segments(self) -> Iterator[tuple[str | None, list[Any]]]:
        """Yield the same; without a reason: a row about a segment."""
        view: Any = self
        parts = [
            (part, self._seen_by_user(part))
            for part in live_parts(view.target_list)
            if view.shows_type(part.segment.recipient_type)
        ]
        seen = self._seen_before([records for _part, records in parts])
        for part, records in parts:
            through = _("Segment “%(segment)s”") % {"segment": part.segment}
            if part.recipient_type is None:
                yield None, ["", "", "", part.fault, "", "", through]
                continue
            for verdict, row in self._judged(part.recipient_type, records, seen):
                status = STATUSES.get(verdict.reason, verdict.reason)
                name = row.name or row.email or _("(no name)")
                cells = [name, row.email, part.recipient_type.label, status, verdict.detail, "", through]
                yield verdict.reason, cells
            if hidden := self._hidden(part, records):
                said = _("%(number)d more, whom you may not see") % {"number": hidden}
                yield None, [said, "", part.recipient_type.label, "", "", "", through]

    def _seen_by_user(self, part: LivePart) -> QuerySet[Any]:
        """Return whom of a segment this user may see, as the screen is searched."""
        view: Any = self
        if part.recipient_type is None:
            return Segment.objects.none()
        choosable = choosable_records(view.request.user, part.recipient_type).order_by().values("pk")
        records = part.records.filter(pk__in=choosable)
        return part.recipient_type.search(records, view.search_query) if view.is_searching else records

    def _hidden(self, part: LivePart, seen: QuerySet[Any]) -> int:
        view: Any = self
        if view.is_searching or view.status_shown is not None:
            return 0
        return max(0, part.records.count() - seen.count())

    def _seen_before(self, parts: Sequence[QuerySet[Any]]) -> dict[str, str] | None:
        """Return the addresses of the members, for :func:`judge`; None if all together are too many."""
        view: Any = self
        if not parts or view.number + sum(records.count() for records in parts) > _COMPARED_UP_TO:
            return None
        seen: dict[str, str] = {}
        for _verdict in judge(view.target_list, rows_of_members(view.target_list), seen):
            pass
        return seen

    def _judged(
        self, recipient_type: RecipientType, records: QuerySet[Any], seen: dict[str, str] | None
    ) -> Iterator[tuple[Verdict, RecipientRow]]:
        view: Any = self
        rest = recipient_type.rows(records)
        while chunk := list(islice(rest, _CHUNK)):
            rows = [(recipient_type.key, row) for row in chunk]
            yield from zip(judge(view.target_list, rows, seen), chunk, strict=True)
