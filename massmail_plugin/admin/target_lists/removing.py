"""Taking people out of a target list."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.log_actions import log

from massmail_plugin.admin.target_lists.confirming import ConfirmForm, ConfirmView
from massmail_plugin.admin.target_lists.member_views import MembersView
from massmail_plugin.admin.target_lists.rows import MemberRow, member_rows
from massmail_plugin.admin.target_lists.screens import OfTargetList, url_to
from massmail_plugin.admin.target_lists.selection import Listing, everything_in, ticked
from massmail_plugin.audience.members import remove_members
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.standing import Standing


def selected_members(request: HttpRequest, target_list: TargetListPage) -> QuerySet[TargetListMember]:
    """Return the members that were ticked, or all that the screen shows. Raises SelectionRefused."""
    ids = request.GET.getlist("id")
    if "all" in ids:
        return everything_in(Listing(MembersView, kwargs={"list_id": target_list.pk}), request)
    members: QuerySet[TargetListMember] = target_list.members.all()
    return members.filter(pk__in=ticked(TargetListMember, ids).values("pk"))


class RemoveMembers(OfTargetList, ConfirmView):
    """Takes the selected people out of the list."""

    changes_list = True
    header_icon = "bin"
    submit_label = gettext_lazy("Yes, remove")
    template_name = "massmail_plugin/target_lists/confirm_remove.html"

    def get_page_title(self) -> str:
        return _("Remove people")

    def get_back_url(self) -> str:
        return url_to("members", self.target_list.pk)

    @cached_property
    def selected(self) -> QuerySet[TargetListMember]:
        return selected_members(self.request, self.target_list)

    def act(self, form: ConfirmForm) -> str:
        removed = remove_members(self.target_list, self.selected)
        log(self.target_list, "massmail.remove_members", user=self.request.user, data={"number": removed})
        return ngettext(
            "%(number)d person removed from “%(list)s”.",
            "%(number)d people removed from “%(list)s”.",
            removed,
        ) % {"number": removed, "list": self.target_list.title}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        named: list[MemberRow] = []
        if self.number == 1:
            named = member_rows(list(self.selected), Standing(), self.request.user)
        return super().get_context_data(named=named, **kwargs)
