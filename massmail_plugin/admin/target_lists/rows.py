"""What the members screen shows of each member."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from massmail_plugin import recipients
from massmail_plugin.admin.record_links import record_links
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.standing import Standing

#: What only a mailing can say of people; their list alone cannot.
_OF_A_MAILING = (Reason.EXCLUDED, Reason.ALREADY_GOT, Reason.NOT_YOURS, Reason.ADDRESS_CHANGED)
#: How somebody stands, for a column, in the words of the mailings. The empty one can be mailed.
STATUSES: dict[str, Any] = {
    "": gettext_lazy("Can be mailed"),
    **{reason.value: capfirst(reason.label) for reason in Reason if reason not in _OF_A_MAILING},
}


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member, with its record as it is now."""

    pk: int
    name: str
    email: str
    type_label: str
    #: Where the record is edited; empty where this user may not.
    url: str
    #: A :class:`Reason`, or empty for who can be mailed.
    reason: str
    #: More about it: for a duplicate, who gets the mail instead.
    detail: str

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        return str(STATUSES.get(self.reason, self.reason))


def member_rows(members: Sequence[TargetListMember], standing: Standing, user: Any) -> list[MemberRow]:
    """Return a row for each member, with one query for each type among them."""
    records = _records(members)
    url_of = record_links(user)
    return [
        _row(member, records.get((member.recipient_type, member.object_id)), standing, url_of)
        for member in members
    ]


def _records(members: Iterable[TargetListMember]) -> dict[tuple[str, str], Model]:
    ids: dict[str, list[str]] = defaultdict(list)
    for member in members:
        ids[member.recipient_type].append(member.object_id)
    records: dict[tuple[str, str], Model] = {}
    for key, object_ids in ids.items():
        recipient_type = recipients.get(key)
        if recipient_type is not None:
            loaded = recipient_type.load(object_ids)
            records.update({(key, object_id): record for object_id, record in loaded.items()})
    return records


def _row(
    member: TargetListMember,
    record: Model | None,
    standing: Standing,
    url_of: Callable[[Model], str | None],
) -> MemberRow:
    recipient_type = recipients.get(member.recipient_type)
    if recipient_type is None:
        return _row_without_record(member, member.recipient_type, _("These records can no longer be mailed."))
    if record is None:
        return _row_without_record(
            member, recipient_type.label, _("The record was deleted, or may not be mailed.")
        )
    verdict = standing.verdict(member)
    email = recipient_type.record_email(record)
    return MemberRow(
        pk=member.pk,
        name=recipient_type.display_name(record) or email or _("(no name)"),
        email=email,
        type_label=recipient_type.label,
        url=url_of(record) or "",
        reason=standing.reason(member.recipient_type, member.object_id),
        detail=verdict.detail if verdict else "",
    )


def _row_without_record(member: TargetListMember, type_label: str, detail: str) -> MemberRow:
    name = _("No. %(id)s") % {"id": member.object_id}
    return MemberRow(member.pk, name, "", type_label, "", Reason.RECORD_GONE, detail)
