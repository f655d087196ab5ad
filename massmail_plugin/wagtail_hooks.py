"""Registers what the rooms offer to Wagtail's admin; holds nothing else."""

from wagtail import hooks
from wagtail.admin.viewsets.base import ViewSet, ViewSetGroup
from wagtail.permissions import register_permission_policy

from massmail_plugin.accounts import log_actions as account_log_actions
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin.access import DepartmentPolicy, SenderAccountPolicy
from massmail_plugin.mailings.models import Campaign, Mailing

# Before anything asks for a policy: a late registration is refused.
register_permission_policy(SenderAccount, SenderAccountPolicy(SenderAccount))
register_permission_policy(Campaign, DepartmentPolicy(Campaign))
register_permission_policy(Mailing, DepartmentPolicy(Mailing, "campaign__department"))

# Importing "deleting" registers its hooks.
from massmail_plugin.admin import bulk_deleting, deleting, home, sending  # noqa: E402, F401
from massmail_plugin.admin.group import MassmailGroup  # noqa: E402

# Importing it registers its hooks.
from massmail_plugin.admin.target_lists import deleting as target_list_deleting  # noqa: E402, F401
from massmail_plugin.admin.target_lists import hooks as target_list_hooks  # noqa: E402, F401
from massmail_plugin.admin.target_lists.viewset import TargetListPageViewSet  # noqa: E402
from massmail_plugin.mailings import log_actions as mailing_log_actions  # noqa: E402

hooks.register("register_log_actions", mailing_log_actions.register)
hooks.register("register_log_actions", account_log_actions.register)
hooks.register("construct_homepage_panels", home.add_panel)
hooks.register("register_permissions", sending.permissions)


@hooks.register("register_admin_viewset")
def register_screens() -> list[ViewSet | ViewSetGroup]:
    return [MassmailGroup(), TargetListPageViewSet()]
