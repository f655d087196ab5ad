"""The first person who really gets a mailing, to show its mail with: one who is left out would only mislead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from django.db.models import Model

from massmail_plugin.audience.sources import Part, Source, first_record, parts_of, scopes_of, why_unusable_any
from massmail_plugin.mailings.models import Campaign, Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address
from massmail_plugin.recipients.models import EmailAddress, ListOptOut
from massmail_plugin.recipients.types import RecipientRow

#: People who are looked at, a few at a time; after so many of whom none gets it, anybody will do.
_LOOKED_AT, _AT_A_TIME = 500, 50
#: Who is here has had a mail, or may have.
_HAD_IT = (DeliveryState.ACCEPTED, DeliveryState.HANDING, DeliveryState.IN_DOUBT)


def first_person(campaign: Campaign) -> tuple[RecipientType, Model] | None:
    """Return the first of the campaign's people who would get its mail now; None if nobody is in its lists."""
    sources, excluded = _usable(campaign.sources()), _usable(campaign.excluded_sources())
    looked_at = 0
    for part in _parts(sources):
        rows = part.recipient_type.rows(part.records)
        while some := list(islice(rows, _AT_A_TIME)):
            allowed = _allowed(campaign, sources, some)
            for row in some:
                if row.object_id not in allowed or _is_excluded(part.recipient_type, row, excluded):
                    continue
                if record := part.recipient_type.load([row.object_id]).get(row.object_id):
                    return part.recipient_type, record
            looked_at += len(some)
            if looked_at >= _LOOKED_AT:
                return first_record(sources)
    return first_record(sources)


def _usable(sources: list[Source]) -> list[Source]:
    return [source for source in sources if not why_unusable_any([source])]


def _parts(sources: list[Source]) -> Iterator[Part]:
    for source in sources:
        yield from parts_of(source)


def _allowed(campaign: Campaign, sources: list[Source], rows: list[RecipientRow]) -> set[str]:
    """Return the numbers of those who have an address that has not said no and has not had it already."""
    keys = {row.object_id: key for row in rows if (key := _key(row.email))}
    known = EmailAddress.objects.filter(key__in=keys.values())
    no = set(
        known.exclude(invalid_since=None, opted_out_since=None, complained_since=None).values_list(
            "key", flat=True
        )
    )
    left = ListOptOut.objects.filter(
        address__key__in=keys.values(), scope__in=[scope.key for scope in scopes_of(sources)]
    )
    no |= set(left.values_list("address__key", flat=True))
    had = Delivery.objects.filter(
        address__key__in=keys.values(),
        run__mailing__in=campaign.excluded_mailings.all(),
        state__in=_HAD_IT,
    )
    no |= set(had.values_list("address__key", flat=True))
    return {number for number, key in keys.items() if key not in no}


def _is_excluded(recipient_type: RecipientType, row: RecipientRow, excluded: list[Source]) -> bool:
    for part in _parts(excluded):
        if part.recipient_type.key == recipient_type.key and part.records.filter(pk=row.object_id).exists():
            return True
        # Also another record with the same address.
        if part.records.filter(**{f"{part.recipient_type.email}__iexact": row.email.strip()}).exists():
            return True
    return False


def _key(email: str) -> str:
    try:
        return parse_address(email).key
    except MalformedAddress:
        return ""
