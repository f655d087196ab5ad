"""From target lists to people: who gets a mailing, who does not, and why.

The order of candidates is fixed (lists in the order given, types by key, records by primary key), so that
resolving twice gives the same result and the first of two records with one address is always the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from massmail_plugin.audience.members import records_of, types_in
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.recipients.addresses import MalformedAddress, ParsedAddress, parse_address
from massmail_plugin.recipients.models import EmailAddress, ListOptOut
from massmail_plugin.recipients.types import RecipientRow

_CHUNK = 500
#: How many people a summary names per reason.
_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """One record of the lists, with the verdict: ``reason`` is empty for those who get the mail."""

    recipient_type: str
    object_id: str
    name: str
    #: The address as the record has it.
    email: str
    target_list_id: int
    #: None where the record's text is no address.
    address: ParsedAddress | None = None
    reason: str = ""
    #: More about the reason, for people: whose duplicate, which list.
    detail: str = ""
    vip: bool = False
    #: The first record with its address, whatever the verdict: an address has one place in a mailing.
    is_first: bool = True


@dataclass(slots=True)
class Summary:
    """How many get a mailing, and how many do not for which reason."""

    included: int = 0
    #: How many of those included are VIPs.
    vips: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    #: The first few of those left out, by reason.
    examples: dict[str, list[Candidate]] = field(default_factory=dict)

    @property
    def left_out_total(self) -> int:
        return sum(self.left_out.values())

    def add(self, candidate: Candidate) -> None:
        """Count one candidate."""
        if not candidate.reason:
            self.included += 1
            self.vips += candidate.vip
            return
        self.left_out[candidate.reason] += 1
        named = self.examples.setdefault(candidate.reason, [])
        if len(named) < _EXAMPLES:
            named.append(candidate)


def summarise(lists: Sequence[TargetListPage], excluded: Sequence[TargetListPage] = ()) -> Summary:
    """Count who would get a mailing to ``lists`` now."""
    summary = Summary()
    for candidate in resolve(lists, excluded):
        summary.add(candidate)
    return summary


def resolve(lists: Sequence[TargetListPage], excluded: Sequence[TargetListPage] = ()) -> Iterator[Candidate]:
    """Yield every record of ``lists`` once, with the verdict on it.

    Somebody who left any one of ``lists`` gets nothing from a mailing to all of them: who has said no to
    this list should not hear from it because another list was added.
    """
    yield from judge(_rows(lists), lists, excluded)


def judge(
    rows: Iterable[tuple[str, int, RecipientRow]],
    lists: Sequence[TargetListPage],
    excluded: Sequence[TargetListPage] = (),
) -> Iterator[Candidate]:
    """Yield the verdict on each of ``rows`` (type, id of the list, record), which are in ``lists``."""
    excluded_records, excluded_keys = _excluded(excluded)
    scopes = {target_list.consent_scope.key for target_list in lists}
    taken: dict[str, str] = {}
    left_out: set[str] = set()
    for chunk in _chunks(iter(rows)):
        parsed = [_parse(row.email) for _key, _list_id, row in chunk]
        keys = {address.key for address, _error in parsed if address}
        said_no = _said_no(keys, scopes)
        for (type_key, list_id, row), (address, error) in zip(chunk, parsed, strict=True):
            if address is None:
                reason, detail = error
            elif (type_key, row.object_id) in excluded_records or address.key in excluded_keys:
                reason, detail = Reason.EXCLUDED, excluded_keys.get(address.key, "")
            elif address.key in said_no:
                reason, detail = said_no[address.key], ""
            elif address.key in taken or address.key in left_out:
                # Also who opts in again while we look: the first verdict on an address stays.
                reason, detail = Reason.DUPLICATE, taken.get(address.key, "")
            else:
                reason, detail = "", ""
            is_first = address is not None and address.key not in taken and address.key not in left_out
            if address is not None and is_first:
                if reason:
                    left_out.add(address.key)
                else:
                    taken[address.key] = row.name or row.email
            yield Candidate(
                recipient_type=type_key,
                object_id=row.object_id,
                name=row.name,
                email=row.email,
                target_list_id=list_id,
                address=address,
                reason=reason,
                detail=detail,
                vip=row.vip,
                is_first=is_first,
            )


def _rows(lists: Iterable[TargetListPage]) -> Iterator[tuple[str, int, RecipientRow]]:
    """Yield each record once, even if it is in several lists."""
    seen: set[tuple[str, str]] = set()
    for target_list in lists:
        for recipient_type in types_in(target_list):
            for row in recipient_type.rows(records_of(target_list, recipient_type)):
                record = (recipient_type.key, row.object_id)
                if record not in seen:
                    seen.add(record)
                    yield recipient_type.key, target_list.pk, row


def _chunks(rows: Iterator[tuple[str, int, RecipientRow]]) -> Iterator[list[tuple[str, int, RecipientRow]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


def _parse(email: str) -> tuple[ParsedAddress | None, tuple[str, str]]:
    if not email.strip():
        return None, (Reason.NO_ADDRESS, "")
    try:
        return parse_address(email), ("", "")
    except MalformedAddress as error:
        return None, (Reason.MALFORMED, str(error))


def _excluded(lists: Iterable[TargetListPage]) -> tuple[set[tuple[str, str]], dict[str, str]]:
    """Return the excluded records, and the excluded address keys with the list that each is in."""
    records: set[tuple[str, str]] = set()
    keys: dict[str, str] = {}
    for target_list in lists:
        for type_key, _list_id, row in _rows([target_list]):
            records.add((type_key, row.object_id))
            address, _error = _parse(row.email)
            if address is not None:
                keys.setdefault(address.key, target_list.title)
    return records, keys


def _said_no(keys: set[str], scopes: set[str]) -> dict[str, str]:
    """Return the reason for each of ``keys`` that may not be mailed; the strongest reason wins."""
    reasons: dict[str, str] = dict.fromkeys(
        ListOptOut.objects.filter(address__key__in=keys, scope__in=scopes).values_list(
            "address__key", flat=True
        ),
        Reason.OPTED_OUT_LIST,
    )
    flagged = EmailAddress.objects.filter(key__in=keys).exclude(
        invalid_since=None, opted_out_since=None, complained_since=None
    )
    for address in flagged:
        if address.complained_since:
            reasons[address.key] = Reason.COMPLAINED
        elif address.opted_out_since:
            reasons[address.key] = Reason.OPTED_OUT
        else:
            reasons[address.key] = Reason.INVALID
    return reasons
