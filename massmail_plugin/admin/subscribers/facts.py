"""What is known of subscribers beside their own rows: how they stand, whether they signed up, and their lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max

from massmail_plugin.admin.standings import standing
from massmail_plugin.admin.target_lists.permissions import lists_to_look_at
from massmail_plugin.audience.belonging import members_of
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, Subscriber


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one subscriber."""

    #: None if nothing was ever mailed to them or said by them.
    address: EmailAddress | None
    #: When they last confirmed a sign-up; None for who came with a file only.
    signed_up_at: datetime | None
    #: The lists that they are members of, by title, as far as the user may look at them.
    lists: tuple[TargetListPage, ...]

    @property
    def standing(self) -> str:
        return standing(self.address)


def facts_of(subscribers: Sequence[Subscriber], user: Any) -> dict[int, Facts]:
    """Return the facts by primary key; the number of queries does not grow with the subscribers."""
    keys = [subscriber.key for subscriber in subscribers]
    addresses = {
        address.key: address
        for address in EmailAddress.objects.filter(key__in=keys).prefetch_related("list_opt_outs")
    }
    signed_up = _sign_ups(list(addresses.values()))
    lists = _lists(subscribers, user)
    return {
        subscriber.pk: Facts(
            addresses.get(subscriber.key), signed_up.get(subscriber.key), tuple(lists[str(subscriber.pk)])
        )
        for subscriber in subscribers
    }


def _sign_ups(addresses: Sequence[EmailAddress]) -> dict[str, datetime]:
    """Return when each last confirmed a sign-up, by the key of the address."""
    events = ConsentEvent.objects.filter(
        address__in=addresses, kind=ConsentEvent.Kind.OPT_IN, method=ConsentEvent.Method.SIGN_UP
    )
    return dict(
        events.order_by().values("address__key").annotate(last=Max("at")).values_list("address__key", "last")
    )


def _lists(subscribers: Sequence[Subscriber], user: Any) -> dict[str, list[TargetListPage]]:
    """Return the lists of each, by primary key as text."""
    type_key = Subscriber._meta.label_lower
    members = members_of((type_key, str(subscriber.pk)) for subscriber in subscribers)
    belongs = list(members.values_list("object_id", "target_list_id"))
    wanted = {list_id for _object_id, list_id in belongs}
    pages = {page.pk: page for page in lists_to_look_at(user).filter(pk__in=wanted)}
    found: dict[str, list[TargetListPage]] = defaultdict(list)
    for object_id, list_id in belongs:
        if list_id in pages:
            found[object_id].append(pages[list_id])
    for titles in found.values():
        titles.sort(key=lambda page: (page.title.lower(), page.pk))
    return found
