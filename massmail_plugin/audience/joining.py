"""Joining a public list: by the record that the host project has of somebody, or as a subscriber."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from massmail_plugin import recipients
from massmail_plugin.audience.belonging import Record, members_of, records_with
from massmail_plugin.audience.members import add_keyed_members
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients import consent, erased
from massmail_plugin.recipients.addresses import parse_address
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import EmailAddress, Subscriber
from massmail_plugin.recipients.ownership import has_rule
from massmail_plugin.recipients.subscribers import ensure_subscriber

#: SQLite compares no larger numbers.
_LARGEST = 2**63 - 1


def public_lists() -> list[TargetListPage]:
    """Return the lists that anybody may join, by title."""
    return list(TargetListPage.objects.live().filter(is_public=True).order_by("title", "pk"))


def public_list(list_id: int) -> TargetListPage | None:
    """Return this list if anybody may join it. ``list_id`` is what a visitor has written into the address."""
    if list_id > _LARGEST:
        return None
    return TargetListPage.objects.live().filter(is_public=True, pk=list_id).select_related("locale").first()


def goodbyes(left: Iterable[Scope]) -> list[str]:
    """Return what editors want to say, as rich text, to who has left these lists."""
    keys = {scope.key for scope in left}
    pages = TargetListPage.objects.exclude(goodbye="").order_by("title", "pk")
    return [page.goodbye for page in pages if page.consent_scope.key in keys]


def join(target_list: TargetListPage, email: str, how: How, *, name: str = "") -> EmailAddress:
    """Let the owner of ``email``, who has proved to be that, into a list. Raises ``MalformedAddress``.

    Whatever was in the way is taken back: the mailbox works, and the wish is newer than what was said before. Who
    had left everything comes back to this list and to no other.
    """
    key = parse_address(email).key
    with transaction.atomic():
        erased.come_back(key)
        EmailAddress.objects.get_or_create(key=key)
        address = EmailAddress.objects.select_for_update().get(key=key)
        let_in(target_list, key, email, name=name)
        if address.invalid_since:
            # A mail has come through.
            consent.mark_valid(address, how)
        consent.come_in(address, [target_list.consent_scope], how)
    address.refresh_from_db()
    return address


def let_in(target_list: TargetListPage, key: str, email: str, *, name: str = "") -> None:
    """Make the person with this address a member of the list; consent is untouched.

    Where people may mail only their own records, or their department's, as a subscriber as well: whoever mails the
    list, a colleague's contact would be left out, who has asked for it.
    """
    known = records_with(key)
    here = set(members_of(known).filter(target_list=target_list).values_list("recipient_type", "object_id"))
    new = [] if here else [_of_the_host(known) or _as_subscriber(target_list, email, name)]
    if not any(_is_everybodys(type_key) for type_key, _pk in (*here, *new)):
        new.append(_as_subscriber(target_list, email, name))
    for type_key, object_id in new:
        add_keyed_members(target_list, type_key, [object_id])


def _is_everybodys(type_key: str) -> bool:
    """Whether whoever mails the list may mail records of this type."""
    recipient_type = recipients.get(type_key)
    return recipient_type is not None and not has_rule(recipient_type)


def _of_the_host(records: list[Record]) -> Record | None:
    own = Subscriber._meta.label_lower
    return next((record for record in records if record[0] != own), None)


def _as_subscriber(target_list: TargetListPage, email: str, name: str) -> Record:
    language = target_list.locale.language_code
    subscriber, _created = ensure_subscriber(email, name=name, language=language)
    return Subscriber._meta.label_lower, str(subscriber.pk)
