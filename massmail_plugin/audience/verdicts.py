"""Who of some people of one list can be mailed, one by one and as of now: for the screens of a list.

The same rules as in ``audience.judging``, which says it of a million people at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from django.db.models import QuerySet

from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.sources import live_scopes_of
from massmail_plugin.recipients.addresses import MalformedAddress, ParsedAddress, parse_address
from massmail_plugin.recipients.erased import erased_keys
from massmail_plugin.recipients.leaving import opt_outs_of
from massmail_plugin.recipients.models import EmailAddress, ListOptOut
from massmail_plugin.recipients.types import RecipientRow

#: People about whom one query asks; SQLite takes 32,766 values in one.
AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a record of a list gets mails to it: ``reason`` is empty if it does."""

    recipient_type: str
    object_id: str
    reason: str = ""
    #: More about the reason, for people: whose duplicate.
    detail: str = ""


def judge(
    target_list: TargetListPage, rows: Iterable[tuple[str, RecipientRow]], seen: dict[str, str] | None = None
) -> Iterator[Verdict]:
    """Yield the verdict on each of ``rows`` (type, record), in their order: the first with an address counts.

    ``seen`` keeps who that is from one call to the next: by address the name, empty if that one gets nothing.
    """
    left = opt_outs_from(target_list)
    seen = {} if seen is None else seen
    rows = iter(rows)
    while chunk := list(islice(rows, AT_ONCE)):
        parsed = [_parse(row.email) for _type, row in chunk]
        said_no = who_said_no({address.key for address, _reason, _detail in parsed if address}, left)
        for (recipient_type, row), (address, reason, detail) in zip(chunk, parsed, strict=True):
            if address is not None:
                reason = said_no.get(address.key, "")
                if not reason and address.key in seen:
                    reason, detail = Reason.DUPLICATE, seen[address.key]
                seen.setdefault(address.key, "" if reason else row.name or row.email)
            yield Verdict(recipient_type, row.object_id, reason, detail)


def _parse(email: str) -> tuple[ParsedAddress | None, str, str]:
    if not email.strip():
        return None, Reason.NO_ADDRESS, ""
    try:
        return parse_address(email), "", ""
    except MalformedAddress as error:
        return None, Reason.MALFORMED, str(error)


def opt_outs_from(target_list: TargetListPage) -> QuerySet[ListOptOut]:
    """Return the opt-outs that count for mails to the list."""
    return opt_outs_of([target_list.consent_scope.key], live_scopes_of([target_list]))


def who_said_no(keys: Collection[str], opt_outs: QuerySet[ListOptOut]) -> dict[str, str]:
    """Return the :class:`Reason` for each of ``keys`` that gets no mail, with these opt-outs of the list.

    The strongest reason wins.
    """
    left = opt_outs.filter(address__key__in=keys).values_list("address__key", flat=True)
    reasons: dict[str, str] = dict.fromkeys(left, Reason.OPTED_OUT_LIST)
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
    return reasons | dict.fromkeys(erased_keys(keys), Reason.ERASED)
