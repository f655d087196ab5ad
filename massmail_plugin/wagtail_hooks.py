"""Registers what the rooms offer to Wagtail's admin; holds nothing else."""

from wagtail import hooks
from wagtail.admin.viewsets.base import ViewSet

# Importing it registers its hooks.
from massmail_plugin.admin.target_lists import hooks as target_list_hooks  # noqa: F401
from massmail_plugin.admin.target_lists.viewset import TargetListPageViewSet, TargetListViewSet
from massmail_plugin.mailings import log_actions

hooks.register("register_log_actions", log_actions.register)


@hooks.register("register_admin_viewset")
def register_target_lists() -> list[ViewSet]:
    return [TargetListViewSet(), TargetListPageViewSet()]
