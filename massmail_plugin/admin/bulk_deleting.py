"""Several at once: what must be kept is refused before Wagtail asks "Are you sure?". Import it from ``wagtail_hooks``.

Wagtail asks its hooks only after the answer. They are asked then as well.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from wagtail import hooks
from wagtail.admin.views.pages.bulk_actions import DeleteBulkAction as DeletePages
from wagtail.users.views.bulk_actions import DeleteBulkAction as DeleteUsers

from massmail_plugin.admin.deleting import keep_users_in_need
from massmail_plugin.admin.target_lists.deleting import keep_lists_in_use


class _RefusesAtOnce:
    """Mixin for a bulk action: asks ``keep`` before it shows its question."""

    keep: Any

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        action: Any = self
        objects, _no_access = action.get_actionable_objects()
        refusal: HttpResponse | None = self.keep(request, action.action_type, objects, action)
        return refusal or super().get(request, *args, **kwargs)  # type: ignore[misc]


class DeletePagesUnlessKept(_RefusesAtOnce, DeletePages):
    keep = staticmethod(keep_lists_in_use)


class DeleteUsersUnlessKept(_RefusesAtOnce, DeleteUsers):
    keep = staticmethod(keep_users_in_need)


# After Wagtail's own, whose place they take; a host with other plans registers its action with a higher order.
for _action in (DeletePagesUnlessKept, DeleteUsersUnlessKept):
    hooks.register("register_bulk_action", _action, order=1)
