"""Whose data somebody in the admin may see and put in lists.

Which of the records, ``RecipientType.choosable_by`` and :mod:`massmail_plugin.recipients.ownership` say together.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from wagtail.permissions import policy_registry

from massmail_plugin.recipients.ownership import theirs
from massmail_plugin.recipients.registry import all_types
from massmail_plugin.recipients.types import RecipientType


def may_choose(user: Any, recipient_type: RecipientType) -> bool:
    """Return whether ``user`` may see and choose records of this type: whoever may view or change them.

    Choosing shows names and addresses and changes nothing in the record, so "view" is enough; "change"
    implies it in Wagtail.
    """
    policy = policy_registry.get_by_type(recipient_type.model)
    return bool(policy.user_has_any_permission(user, {"view", "change"}))


def choosable_types(user: Any) -> list[RecipientType]:
    """Return the recipient types that ``user`` may choose from."""
    return [recipient_type for recipient_type in all_types() if may_choose(user, recipient_type)]


def choosable_records(user: Any, recipient_type: RecipientType) -> QuerySet[Any]:
    """Return the records of this type that ``user`` may see and mail; none without the right to the type."""
    if not may_choose(user, recipient_type):
        return recipient_type.get_queryset().none()
    return recipient_type.choosable_by(user).filter(theirs(recipient_type, user))


def sees_everybody(user: Any, recipient_type: RecipientType) -> bool:
    """Return whether there is no record of this type that ``user`` may not see.

    Where the host narrows them that is asked of the database, which looks at all records to say yes.
    """
    if not may_choose(user, recipient_type):
        return False
    chooses = getattr(recipient_type.choosable_by, "__func__", None)
    is_narrowed = chooses is not RecipientType.choosable_by
    if not is_narrowed and not theirs(recipient_type, user):
        return True
    seen = choosable_records(user, recipient_type).order_by().values("pk")
    return not recipient_type.get_queryset().exclude(pk__in=seen).exists()
