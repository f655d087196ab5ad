"""What tables of deliveries show, and the same as rows of a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from wagtail.permissions import policy_registry

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress

_CHUNK = 1000


def attach_events(deliveries: Sequence[Any]) -> None:
    """Give each delivery ``came_back``: what came back about it, each kind once, in one query for all."""
    kinds: dict[int, list[str]] = {}
    events = DeliveryEvent.objects.filter(delivery__in=[delivery.pk for delivery in deliveries]).order_by(
        "at", "pk"
    )
    for delivery_id, kind in events.values_list("delivery_id", "kind"):
        label = str(DeliveryEvent.Kind(kind).label)
        if label not in kinds.setdefault(delivery_id, []):
            kinds[delivery_id].append(label)
    for delivery in deliveries:
        delivery.came_back = ", ".join(kinds.get(delivery.pk, ()))


def attach_addresses(deliveries: Sequence[Any], user: Any) -> None:
    """Give each delivery ``address_url``: the page of its address, or nothing if ``user`` may not look at it."""
    may_look = policy_registry.get_by_type(EmailAddress).user_has_any_permission(user, LOOK)
    for delivery in deliveries:
        has_page = may_look and delivery.address_id
        delivery.address_url = names.own_page(names.ADDRESSES, delivery.address_id) if has_page else ""


def attach_cells(deliveries: Sequence[Any], user: Any) -> None:
    """Give each delivery what a table of them shows: ``came_back``, ``details`` and ``address_url``."""
    attach_events(deliveries)
    attach_addresses(deliveries, user)
    for delivery in deliveries:
        # What a server says when it takes a mail is the same noise in every row; how a doubt ended is not.
        is_plain = delivery.state == DeliveryState.ACCEPTED and delivery.doubted_at is None
        words = [] if is_plain else [delivery.get_reason_sentence()]
        if delivery.attempts > 1:
            words.append(_("(%(number)d attempts)") % {"number": delivery.attempts})
        delivery.details = " ".join(filter(None, words))


def export(deliveries: QuerySet[Delivery]) -> tuple[list[Any], Iterator[list[Any]]]:
    """Return headings and rows of the log; rows are read while they are written."""
    headings = [
        _("Name"),
        _("Address"),
        _("Mailing"),
        _("Through"),
        _("Status"),
        _("Details"),
        _("Attempts"),
        _("What came back"),
        _("Sent"),
    ]
    return headings, _export_rows(deliveries.iterator(chunk_size=_CHUNK))


def _export_rows(deliveries: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(deliveries)
    while chunk := list(islice(rows, _CHUNK)):
        attach_events(chunk)
        for delivery in chunk:
            yield [
                delivery.name,
                delivery.email,
                delivery.run.mailing.name,
                delivery.source_label,
                delivery.get_state_display(),
                delivery.get_reason_sentence(),
                delivery.attempts,
                delivery.came_back,
                timezone.localtime(delivery.handed_at).isoformat(sep=" ", timespec="seconds")
                if delivery.handed_at
                else "",
            ]
