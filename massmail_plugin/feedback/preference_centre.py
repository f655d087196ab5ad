"""The preference page: which mails somebody gets, told and changed by the link in any mail to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from massmail_plugin import recipients, tokens
from massmail_plugin.audience.belonging import Record, lists_through_segments, members_of
from massmail_plugin.audience.joining import let_in, public_lists
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.verdicts import opt_outs_from
from massmail_plugin.feedback import opting_out
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.feedback.opting_out import Bearer
from massmail_plugin.feedback.receipts import Receipt
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.addresses import key_of
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.leaving import left_by
from massmail_plugin.recipients.models import EmailAddress, ListOptOut, Subscriber

#: Of the records that somebody was mailed by, the newest are asked for their lists.
_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """One list, as its owner or a visitor may choose it."""

    scope: Scope
    #: Whether mails to it come now.
    gets: bool
    #: Whether mails would come, were they wanted: somebody else has put the person in, or they have joined.
    is_in: bool
    #: The list, if there still is one.
    page: TargetListPage | None = None


def link_for(bearer: Bearer) -> str:
    """Return the token of the preference page for whoever holds another link of the same mail."""
    delivery_id = bearer.delivery.pk if bearer.delivery else 0
    return tokens.make(tokens.Purpose.PREFERENCES, delivery_id, bearer.address.pk)


def choices(bearer: Bearer) -> list[Choice]:
    """Return what the person can choose from: what they are in, what this mail went to, and every public list."""
    address = bearer.address
    found: dict[str, tuple[Scope, bool, TargetListPage | None]] = {}
    for page in _lists_of(address):
        found[page.consent_scope.key] = (page.consent_scope, True, page)
    for scope in _sources_of(bearer):
        found.setdefault(scope.key, (scope, True, None))
    for page in public_lists():
        found.setdefault(page.consent_scope.key, (page.consent_scope, False, page))
    pages = [page for _scope, _is_in, page in found.values() if page is not None]
    left = left_by(address, found) | _left_through_segments(address, pages)
    return sorted(
        (
            Choice(scope, is_in and not address.opted_out_since and scope.key not in left, is_in, page)
            for scope, is_in, page in found.values()
        ),
        key=lambda choice: (not choice.is_in, choice.scope.label.lower(), choice.scope.key),
    )


def _left_through_segments(address: EmailAddress, pages: list[TargetListPage]) -> set[str]:
    """Return the scopes of the lists from which nothing comes, also because a segment that is live in them was left."""
    if not ListOptOut.objects.filter(address=address, scope__startswith="segment:").exists():
        # Nearly always: below there is a question for each list.
        return set()
    return {page.consent_scope.key for page in pages if opt_outs_from(page).filter(address=address).exists()}


def save(bearer: Bearer, offered: Collection[str], wanted: Collection[str], how: How) -> Receipt:
    """Let the person get what is ``wanted`` of what was ``offered`` (keys of scopes), and change nothing else.

    Only what they could choose counts, whatever was sent. Who had left everything comes back to what is wanted.
    """
    with transaction.atomic():
        address = EmailAddress.objects.select_for_update().get(pk=bearer.address.pk)
        known = [choice for choice in choices(bearer) if choice.scope.key in offered]
        join = [choice for choice in known if choice.scope.key in wanted and not choice.gets]
        leave = [choice.scope for choice in known if choice.scope.key not in wanted and choice.gets]
        if address.complained_since:
            # Mailing them again harms the sender's name everywhere; only signing up anew proves another wish.
            join = []
        return _change(bearer, address, join, leave, how)


def _change(
    bearer: Bearer, address: EmailAddress, join: list[Choice], leave: list[Scope], how: How
) -> Receipt:
    joined = [choice.scope for choice in join]
    if joined and address.opted_out_since:
        consent.come_in(address, joined, how)
        joined.append(Scope())
    else:
        consent.opt_in(address, joined, how)
    for choice in join:
        if choice.page is not None and not choice.is_in:
            let_in(choice.page, address.key, address.key)
    consent.opt_out(address, leave, how)
    of_this_mail = {scope.key for scope in _sources_of(bearer)}
    counted = [scope for scope in leave if scope.key in of_this_mail]
    if bearer.delivery and counted:
        opting_out.record(bearer.delivery, DeliveryEvent.Kind.OPTED_OUT, counted)
    return Receipt(tuple(leave), opting_out.last_event(address), tuple(joined))


def _sources_of(bearer: Bearer) -> Iterator[Scope]:
    """Yield what the mail went to, as far as it is still there."""
    if bearer.delivery is None:
        return
    scopes: dict[str, Any] = bearer.delivery.run.list_scopes
    pages = {page.consent_scope.key: page for page in _pages(scopes)}
    for key, label in scopes.items():
        if key in pages:
            yield pages[key].consent_scope
        elif not key.startswith("list:"):
            yield Scope(key, label)


def _pages(scopes: Collection[str]) -> Iterator[TargetListPage]:
    numbers = [key.removeprefix("list:") for key in scopes if key.startswith("list:")]
    yield from TargetListPage.objects.filter(pk__in=[int(number) for number in numbers if number.isdecimal()])


def _lists_of(address: EmailAddress) -> list[TargetListPage]:
    """Return the lists that the person is in: as a member, or through a live segment only."""
    records = _records_of(address)
    ids = set(members_of(records).values_list("target_list", flat=True))
    ids.update(lists_through_segments(records).values_list("pk", flat=True))
    return list(TargetListPage.objects.filter(pk__in=ids).order_by("title", "pk"))


def _records_of(address: EmailAddress) -> list[Record]:
    """Return the records that the person is known to be mailed by: not all records are searched for each visitor."""
    deliveries = Delivery.objects.filter(address=address).order_by("-pk")
    mailed = dict.fromkeys(deliveries.values_list("recipient_type", "object_id")[:_RECORDS])
    subscribers = Subscriber.objects.filter(key=address.key).values_list("pk", flat=True)
    mailed |= dict.fromkeys((Subscriber._meta.label_lower, str(pk)) for pk in subscribers)
    return list(_still_theirs(mailed, address))


def _still_theirs(records: Iterable[Record], address: EmailAddress) -> Iterator[Record]:
    """Yield those that still have this address; a record may be somebody else's by now."""
    ids: dict[str, list[str]] = defaultdict(list)
    for type_key, object_id in records:
        ids[type_key].append(object_id)
    for type_key, object_ids in ids.items():
        recipient_type = recipients.get(type_key)
        if recipient_type is None:
            continue
        for object_id, record in recipient_type.load(object_ids).items():
            if key_of(recipient_type.record_email(record)) == address.key:
                yield type_key, object_id
