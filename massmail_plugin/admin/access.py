"""Who may do what to which object. Wagtail's generic views ask only about the model; ours ask about the object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.utils.functional import cached_property
from wagtail.permission_policies import ModelPermissionPolicy
from wagtail.permissions import policy_registry

from massmail_plugin.recipients.departments import reaches, within_reach

LOOK = ("view", "change", "delete")


class DepartmentPolicy(ModelPermissionPolicy):
    """People reach what belongs to their departments, or to none."""

    def __init__(self, model: type[Model], path: str = "department") -> None:
        """``path``: from the model to its department."""
        super().__init__(model)
        self.path = path

    def user_has_permission_for_instance(self, user: Any, action: str, instance: Any) -> bool:
        return self.user_has_permission(user, action) and self._reaches(user, instance)

    def user_has_any_permission_for_instance(self, user: Any, actions: Iterable[str], instance: Any) -> bool:
        return self.user_has_any_permission(user, actions) and self._reaches(user, instance)

    def instances_user_has_any_permission_for(self, user: Any, actions: Iterable[str]) -> QuerySet[Any]:
        instances = super().instances_user_has_any_permission_for(user, actions)
        return instances.filter(within_reach(user, self.path))

    def _reaches(self, user: Any, instance: Any) -> bool:
        *parents, _department = self.path.split(LOOKUP_SEP)
        owner = reduce(getattr, parents, instance)
        return reaches(user, owner.department_id)


class SenderAccountPolicy(ModelPermissionPolicy):
    """People reach their own accounts, and may look at everybody's; superusers reach all."""

    def user_has_permission_for_instance(self, user: Any, action: str, instance: Any) -> bool:
        return self.user_has_permission(user, action) and (
            user.is_superuser
            or instance.owner_id == user.pk
            or (instance.owner_id is None and action == "view")
        )

    def user_has_any_permission_for_instance(self, user: Any, actions: Iterable[str], instance: Any) -> bool:
        # Who may change their own accounts may look at everybody's: mailings leave through those, too.
        within_reach = user.is_superuser or instance.owner_id in (None, user.pk)
        if set(actions) == set(LOOK):
            return within_reach and self.user_has_any_permission(user, actions)
        return super().user_has_any_permission_for_instance(user, actions, instance)

    def instances_user_has_any_permission_for(self, user: Any, actions: Iterable[str]) -> QuerySet[Any]:
        instances = super().instances_user_has_any_permission_for(user, actions)
        return instances if user.is_superuser else instances.filter(Q(owner=user.pk) | Q(owner=None))


def may(user: Any, action: str, model: type[Model], instance: Model | None = None) -> bool:
    """Return whether ``user`` may do ``action`` ("send", "change", ...) to ``instance``, or to some of the model."""
    policy = policy_registry.get_by_type(model)
    if instance is None:
        return policy.user_has_permission(user, action)
    return policy.user_has_permission_for_instance(user, action, instance)


def may_look(user: Any, model: type[Model]) -> bool:
    """Return whether ``user`` may look at anything of ``model``."""
    return bool(policy_registry.get_by_type(model).user_has_any_permission(user, LOOK))


def reachable(user: Any, model: type[Model]) -> QuerySet[Any]:
    """Return what of ``model`` the user may look at."""
    instances: QuerySet[Any] = policy_registry.get_by_type(model).instances_user_has_any_permission_for(
        user, LOOK
    )
    return instances


class ScopedListing:
    """Listing views: only what the user may look at."""

    def get_base_queryset(self) -> QuerySet[Any]:
        view: Any = self
        reachable = view.permission_policy.instances_user_has_any_permission_for(view.request.user, LOOK)
        return super().get_base_queryset().filter(pk__in=reachable.values("pk"))  # type: ignore[misc]


class ScopedObject:
    """Views of one object: refused unless the user may do one of ``object_permissions`` to it."""

    object_permissions: Sequence[str] = LOOK

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        instance = super().get_object(*args, **kwargs)  # type: ignore[misc]
        view: Any = self
        if not view.permission_policy.user_has_any_permission_for_instance(
            view.request.user, self.object_permissions, instance
        ):
            raise PermissionDenied
        return instance


class PolicyOf:
    """Views of something that has no permissions of its own: those of ``permission_model`` hold."""

    permission_model: type[Model]

    @cached_property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(self.permission_model)
