"""Departments are Django groups that the preferences name as such. Who is in one works with what belongs to it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.utils.translation import gettext

from massmail_plugin.preferences import MailPreferences

#: Opens every department to who has it.
WORK_FOR_ALL = "massmail_plugin.work_for_every_department"
_CACHE = "_massmail_departments"


def all_departments() -> QuerySet[Group]:
    """Return the groups that are departments, by name; none in a project without departments."""
    chosen = MailPreferences.departments.through.objects.values("group_id")
    return Group.objects.filter(pk__in=chosen).order_by("name")


def departments_of(user: Any) -> QuerySet[Group]:
    """Return the departments that ``user`` is in, by name."""
    return all_departments().filter(user=user.pk)


def departments_to_choose(user: Any) -> QuerySet[Group]:
    """Return the departments that ``user`` may give something to."""
    return all_departments() if works_for_all(user) else departments_of(user)


def works_for_all(user: Any) -> bool:
    """Return whether ``user`` reaches what belongs to any department."""
    return bool(user.has_perm(WORK_FOR_ALL))


def reaches(user: Any, department_id: int | None) -> bool:
    """Return whether ``user`` works with what belongs to this department; None: what belongs to nobody, so to all."""
    return department_id is None or works_for_all(user) or department_id in _ids_of(user)


def within_reach(user: Any, path: str = "department") -> Q:
    """Return what :func:`reaches` says as a condition on rows whose department is at ``path``; empty: all of them."""
    if works_for_all(user):
        return Q()
    return Q(**{f"{path}{LOOKUP_SEP}isnull": True}) | Q(**{f"{path}{LOOKUP_SEP}in": _ids_of(user)})


def former_departments() -> Group:
    """Return the group that takes over what a deleted department leaves. Nobody is in it, so that nothing opens."""
    return Group.objects.get_or_create(name=gettext("Former departments"))[0]


def _ids_of(user: Any) -> frozenset[int]:
    """Also of groups that are no departments any more: what belongs to them must stay within somebody's reach.

    Asked once for each request: listings ask for each of their rows.
    """
    known: frozenset[int] | None = getattr(user, _CACHE, None)
    if known is None:
        known = frozenset(Group.objects.filter(user=user.pk).values_list("pk", flat=True))
        setattr(user, _CACHE, known)
    return known
