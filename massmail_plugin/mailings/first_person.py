"""The first person who really gets a mailing, to show its mail with: one who is left out would only mislead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model, QuerySet
from django.db.models.functions import Lower, Trim

from massmail_plugin.audience.sources import (
    Part,
    Source,
    live_scopes_of,
    parts_of,
    scopes_of,
    why_unusable_any,
)
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing
from massmail_plugin.mailings.states import MAY_HAVE_GOT
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records
from massmail_plugin.recipients.addresses import key_of
from massmail_plugin.recipients.erased import erased_keys
from massmail_plugin.recipients.leaving import opt_outs_of
from massmail_plugin.recipients.models import EmailAddress
from massmail_plugin.recipients.ownership import theirs
from massmail_plugin.recipients.types import RecipientRow

#: People who are looked at, a few at a time; after so many of whom none gets it, anybody will do.
_LOOKED_AT, _AT_A_TIME = 500, 50


def first_person(mailing: Mailing, viewer: AbstractBaseUser | None) -> tuple[RecipientType, Model] | None:
    """Return the first of those who would get ``mailing`` now, of those whom ``viewer`` may see.

    None if nobody is in its lists whom they may see. Without a viewer, for a program, everybody may be seen.
    """
    campaign = mailing.campaign
    sources, excluded = _usable(campaign.sources()), _usable(campaign.excluded_sources())
    looked_at = 0
    for part in _parts(sources):
        rows = part.recipient_type.rows(_to_see(part, mailing, viewer))
        while some := list(islice(rows, _AT_A_TIME)):
            allowed = _allowed(campaign, sources, some)
            rest = [row for row in some if row.object_id in allowed]
            kept_out = _excluded(part.recipient_type, rest, excluded) if rest else set()
            if found := _first(part, [row for row in rest if row.object_id not in kept_out]):
                return found
            looked_at += len(some)
            if looked_at >= _LOOKED_AT:
                return _anybody(sources, mailing, viewer)
    return _anybody(sources, mailing, viewer)


def _to_see(part: Part, mailing: Mailing, viewer: AbstractBaseUser | None) -> QuerySet[Any]:
    """The records of ``part`` that the mailing's owner may mail and that ``viewer`` may see."""
    records = part.records.filter(theirs(part.recipient_type, mailing.owner))
    if viewer is None:
        return records
    seen = choosable_records(viewer, part.recipient_type)
    return records.filter(pk__in=seen.order_by().values("pk"))


def _anybody(
    sources: list[Source], mailing: Mailing, viewer: AbstractBaseUser | None
) -> tuple[RecipientType, Model] | None:
    """Nobody gets it, as far as was looked: it is shown with somebody else, but never with who was erased."""
    for part in _parts(sources):
        rows = list(islice(part.recipient_type.rows(_to_see(part, mailing, viewer)), _AT_A_TIME))
        erased = erased_keys(filter(None, (key_of(row.email) for row in rows)))
        if found := _first(part, [row for row in rows if key_of(row.email) not in erased]):
            return found
    return None


def _first(part: Part, rows: list[RecipientRow]) -> tuple[RecipientType, Model] | None:
    """Return the first of ``rows`` whose record is still there."""
    for row in rows:
        if record := part.recipient_type.load([row.object_id]).get(row.object_id):
            return part.recipient_type, record
    return None


def _usable(sources: list[Source]) -> list[Source]:
    return [source for source in sources if not why_unusable_any([source])]


def _parts(sources: list[Source]) -> Iterator[Part]:
    for source in sources:
        yield from parts_of(source)


def _allowed(campaign: Campaign, sources: list[Source], rows: list[RecipientRow]) -> set[str]:
    """Return the numbers of those who have an address that has not said no and has not had it already."""
    keys = {row.object_id: key for row in rows if (key := key_of(row.email))}
    known = EmailAddress.objects.filter(key__in=keys.values())
    no = set(
        known.exclude(invalid_since=None, opted_out_since=None, complained_since=None).values_list(
            "key", flat=True
        )
    )
    scopes = [scope.key for scope in scopes_of(sources)]
    left = opt_outs_of(scopes, live_scopes_of(sources)).filter(address__key__in=keys.values())
    no |= set(left.values_list("address__key", flat=True))
    had = Delivery.objects.filter(
        address__key__in=keys.values(),
        run__mailing__in=campaign.excluded_mailings.all(),
        state__in=MAY_HAVE_GOT,
    )
    no |= set(had.values_list("address__key", flat=True))
    no |= erased_keys(keys.values())
    return {number for number, key in keys.items() if key not in no}


def _excluded(recipient_type: RecipientType, rows: list[RecipientRow], excluded: list[Source]) -> set[str]:
    """Return the numbers of those of ``rows`` who are in ``excluded``, or another record with their address is."""
    by_address: dict[str, list[str]] = {}
    for row in rows:
        by_address.setdefault(row.email.strip().lower(), []).append(row.object_id)
    found: set[str] = set()
    for part in _parts(excluded):
        if part.recipient_type.key == recipient_type.key:
            same = part.records.filter(pk__in=[row.object_id for row in rows])
            found |= {str(pk) for pk in same.order_by().values_list("pk", flat=True)}
        read = part.records.annotate(massmail_address=Lower(Trim(part.recipient_type.email)))
        addresses = read.filter(massmail_address__in=list(by_address)).order_by()
        for address in addresses.values_list("massmail_address", flat=True):
            found.update(by_address.get(address, []))
    return found
