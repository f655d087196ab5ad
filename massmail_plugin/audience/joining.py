"""Joining a public list: by the record that the host project has of somebody, or as a subscriber."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from massmail_plugin import recipients
from massmail_plugin.audience.belonging import Record, members_of, records_with
from massmail_plugin.audience.members import add_members
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.recipients import consent, erased
from massmail_plugin.recipients.addresses import parse_address
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import EmailAddress, Subscriber
from massmail_plugin.recipients.subscribers import ensure_subscriber


def public_lists() -> list[TargetListPage]:
    """Return the lists that anybody may join, by title."""
    return list(TargetListPage.objects.live().filter(is_public=True).order_by("title", "pk"))


def public_list(list_id: int) -> TargetListPage | None:
    """Return this list if anybody may join it."""
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
        consent.come_in(address, [target_list.consent_scope], how, elsewhere=scopes_of_everything())
    address.refresh_from_db()
    return address


def let_in(target_list: TargetListPage, key: str, email: str, *, name: str = "") -> None:
    """Make the person with this address a member of the list; consent is untouched."""
    known = records_with(key)
    if members_of(known).filter(target_list=target_list).exists():
        return
    type_key, object_id = _of_the_host(known) or _as_subscriber(target_list, email, name)
    recipient_type = recipients.get(type_key)
    assert recipient_type is not None
    add_members(target_list, recipient_type, [object_id])


def scopes_of_everything() -> list[Scope]:
    """Return what somebody stays out of who had left everything and comes back to one list."""
    lists = TargetListPage.objects.order_by("pk").only("pk", "title")
    segments = Segment.objects.order_by("pk").only("pk", "name")
    return [source.consent_scope for source in (*lists, *segments)]


def _of_the_host(records: list[Record]) -> Record | None:
    own = Subscriber._meta.label_lower
    return next((record for record in records if record[0] != own), None)


def _as_subscriber(target_list: TargetListPage, email: str, name: str) -> Record:
    language = target_list.locale.language_code
    subscriber, _created = ensure_subscriber(email, name=name, language=language)
    return Subscriber._meta.label_lower, str(subscriber.pk)
