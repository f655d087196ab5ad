"""Who may use segments: the right to segments, and to the people that they choose from."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from wagtail.permissions import policy_registry

from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.recipients.access import choosable_types

_ANY = {"view", "add", "change", "delete"}


def segments_to_use(user: Any) -> QuerySet[Segment]:
    """Return the segments that ``user`` may send to or put in a list, by name; without a user, none.

    A mailing uses all records of a segment, also those that ``RecipientType.choosable_by`` hides from this user.
    """
    if user is None or not policy_registry.get_by_type(Segment).user_has_any_permission(user, _ANY):
        return Segment.objects.none()
    keys = [recipient_type.key for recipient_type in choosable_types(user)]
    return Segment.objects.filter(recipient_type__in=keys)
