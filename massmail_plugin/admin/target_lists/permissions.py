"""Who may look at target lists, change them, and choose whom to put in."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from wagtail.permissions import policy_registry

from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage

_ANY = {"add", "change", "publish", "bulk_delete", "lock", "unlock"}


def may_look(user: Any, target_list: TargetListPage) -> bool:
    """Return whether ``user`` has any page permission on the list: whoever works with it may see its people."""
    policy = policy_registry.get_by_type(TargetListPage)
    return bool(policy.user_has_any_permission_for_instance(user, _ANY, target_list))


def lists_to_look_at(user: Any) -> QuerySet[TargetListPage]:
    """Return the lists whose people ``user`` may see; without a user, none."""
    if user is None:
        return TargetListPage.objects.none()
    policy = policy_registry.get_by_type(TargetListPage)
    seen = policy.instances_user_has_any_permission_for(user, _ANY)
    return TargetListPage.objects.filter(pk__in=seen.values("pk"))


def may_change(user: Any, target_list: TargetListPage) -> bool:
    """Return whether ``user`` may add and remove people: the page's edit permission, if it is not locked."""
    permissions = target_list.permissions_for_user(user)
    return bool(permissions.can_edit() and not permissions.page_locked())


def changeable_lists(user: Any) -> QuerySet[TargetListPage]:
    """Return the lists that ``user`` may edit, by title."""
    policy = policy_registry.get_by_type(TargetListPage)
    editable = policy.instances_user_has_permission_for(user, "change")
    return TargetListPage.objects.filter(pk__in=editable.values("pk")).order_by("title", "pk")


def works_with_lists(user: Any) -> bool:
    """Return whether target lists are of any interest to ``user``; needs no query of its own, for the menu."""
    if user.is_superuser or user.has_module_perms("massmail_plugin"):
        return True
    types = ContentType.objects.get_for_models(TargetListIndexPage, TargetListPage).values()
    granted = policy_registry.get_by_type(TargetListPage).get_cached_permissions_for_user(user)
    return any(permission.page.content_type_id in {each.pk for each in types} for permission in granted)


def may_add_lists(user: Any) -> bool:
    """Return whether ``user`` may make new target lists."""
    return folders_to_add_to(user).exists()


def folders_to_add_to(user: Any) -> QuerySet[TargetListIndexPage]:
    """Return the folders in which ``user`` may make new target lists; the first one is made when it is missing."""
    get_index_page()
    policy = policy_registry.get_by_type(TargetListPage)
    addable = policy.instances_user_has_permission_for(user, "add")
    return TargetListIndexPage.objects.filter(pk__in=addable.values("pk")).order_by("path")


def may_open_lists(user: Any) -> bool:
    """Return whether ``user`` has any permission in a folder of target lists."""
    get_index_page()
    policy = policy_registry.get_by_type(TargetListPage)
    within_reach = policy.instances_user_has_any_permission_for(user, _ANY)
    return bool(TargetListIndexPage.objects.filter(pk__in=within_reach.values("pk")).exists())
