"""Whose records somebody may mail: everybody's, only their own, or also their departments'.

The editors' preference "Whose records people may mail" decides; a recipient type says with ``owner`` and
``department`` whose a record is.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Q

from massmail_plugin import preferences
from massmail_plugin.preferences import MailPreferences
from massmail_plugin.recipients.departments import departments_of
from massmail_plugin.recipients.paths import follow
from massmail_plugin.recipients.types import RecipientType

#: Lifts the rule for who has it.
MAIL_EVERYBODY = "massmail_plugin.mail_everybodys_records"


def theirs(recipient_type: RecipientType, user: Any) -> Q:
    """Return which records of the host's model ``user``, the owner of a mailing, may mail; empty: all of them.

    Without a user (the mailing's owner was deleted) nothing is theirs. A type that names neither an owner nor a
    department has no owners, so that everybody may mail its records.
    """
    if not has_rule(recipient_type):
        return Q()
    if user is None or not user.is_active:
        return Q(pk__in=[])
    if user.has_perm(MAIL_EVERYBODY):
        return Q()
    own = _matching(recipient_type, recipient_type.owner, get_user_model(), [user.pk])
    if preferences.load().whose_records == MailPreferences.WhoseRecords.OWN:
        return own
    groups = list(departments_of(user).values_list("pk", flat=True))
    return own | _matching(recipient_type, recipient_type.department, Group, groups)


def has_rule(recipient_type: RecipientType) -> bool:
    """Return whether some people may mail only some of the records of this type."""
    everybodys = preferences.load().whose_records == MailPreferences.WhoseRecords.EVERYBODYS
    return not everybodys and has_owners(recipient_type)


def has_owners(recipient_type: RecipientType) -> bool:
    """Return whether records of this type belong to anybody."""
    return bool(recipient_type.owner or recipient_type.department)


def _matching(recipient_type: RecipientType, path: str, model: type, keys: list[Any]) -> Q:
    """Return the records at whose ``path`` is one of ``keys``; a path that leads elsewhere matches none."""
    found = follow(recipient_type.model, path) if path else None
    if found is None or found.target is None or not issubclass(model, found.target) or not keys:
        return Q(pk__in=[])
    if not found.is_many:
        return Q(**{f"{path}__in": keys})
    # A join would bring a record once for each of its departments.
    records = recipient_type.model._base_manager.filter(**{f"{path}__in": keys})
    return Q(pk__in=records.values("pk"))
