"""Departments are Django groups that the preferences name as such."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models import QuerySet

from massmail_plugin.preferences import MailPreferences


def all_departments() -> QuerySet[Group]:
    """Return the groups that are departments, by name; none in a project without departments."""
    chosen = MailPreferences.departments.through.objects.values("group_id")
    return Group.objects.filter(pk__in=chosen).order_by("name")


def departments_of(user: Any) -> QuerySet[Group]:
    """Return the departments that ``user`` is in, by name."""
    return all_departments().filter(user=user.pk)
