"""What the screens of one target list share."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail.admin.views.generic.base import BaseListingView, WagtailAdminTemplateMixin

from massmail_plugin.admin.target_lists.permissions import may_change, may_look
from massmail_plugin.audience.models import TargetListPage

NAMESPACE = "massmail_target_lists"


def url_to(name: str, *args: Any) -> str:
    """Return the address of one of the target lists' screens."""
    return reverse(f"{NAMESPACE}:{name}", args=args)


class OfTargetList(WagtailAdminTemplateMixin):
    """A view of one target list, whose number is in the URL."""

    header_icon = "group"
    #: Whether one must be allowed to change the list, and not only to look at it.
    changes_list = False
    request: HttpRequest
    target_list: TargetListPage

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.target_list = get_object_or_404(TargetListPage, pk=kwargs["list_id"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        allowed = may_change if self.changes_list else may_look
        if not allowed(request.user, self.target_list):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": url_to("index"), "label": _("Target lists")},
            {"url": url_to("members", self.target_list.pk), "label": self.target_list.title},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(target_list=self.target_list, **kwargs)


class SelectableListing(OfTargetList, BaseListingView):
    """A listing of a target list's screens with boxes to tick, and a footer that says what to do with the ticked."""

    template_name = "massmail_plugin/target_lists/selectable_listing.html"
    results_template_name = "massmail_plugin/target_lists/selectable_results.html"
    paginate_by = 50
    #: The label of the footer's button, and where it leads.
    action_label: Any = ""

    def get_action_url(self) -> str:
        raise NotImplementedError

    def get_more_actions(self) -> list[tuple[Any, str]]:
        """Return labels and addresses of what else can be done with the ticked."""
        return []

    def get_select_all_label(self, number: int) -> str:
        """Return the label of the button that selects all ``number`` records found."""
        raise NotImplementedError

    def filter_queryset(self, queryset: Any) -> Any:
        if self.filters and not self.filters.is_valid():
            return queryset.none()
        return super().filter_queryset(queryset)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {
            **context,
            "action_label": self.action_label,
            "action_url": self.get_action_url(),
            "more_actions": self.get_more_actions(),
            "select_all_label": self.get_select_all_label(context["items_count"]),
        }
