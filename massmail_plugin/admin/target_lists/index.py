"""All target lists, in one flat listing, and the way to a new one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.views.pages.choose_parent import ChooseParentView
from wagtail.admin.views.pages.listing import IndexView

from massmail_plugin.admin.target_lists.columns import ListTitleColumn
from massmail_plugin.admin.target_lists.permissions import (
    folders_to_add_to,
    may_add_lists,
    may_open_lists,
)
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.admin.target_lists.sizes import size_of
from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListIndexPage, TargetListMember, TargetListPage
from massmail_plugin.base_page import BasePage
from massmail_plugin.mailings.models import Run


def url_of(page: Any) -> str:
    """Return where the title of a list or a folder leads."""
    is_list = isinstance(page, TargetListPage)
    return url_to("members", page.pk) if is_list else reverse("wagtailadmin_explore", args=[page.pk])


COLUMNS = [
    ListTitleColumn(
        "title",
        label=gettext_lazy("Title"),
        sort_key="title",
        get_url=lambda page: url_of(page),
    ),
    Column(
        "size",
        label=gettext_lazy("People"),
        accessor=lambda page: size_of(page) if isinstance(page, TargetListPage) else _("Folder"),
        sort_key="members_number",
        width="16%",
    ),
    DateColumn("last_used", label=gettext_lazy("Last mailing"), sort_key="last_used", width="18%"),
    DateColumn(
        "latest_revision_created_at",
        label=gettext_lazy("Updated"),
        sort_key="latest_revision_created_at",
        width="18%",
    ),
]


class TargetListFilterSet(WagtailFilterSet):
    class Meta:
        model = TargetListPage
        fields = ["owner"]


class CountedLists:
    """Mixed into page listings: counts people and finds the last mailing in the listing's own query."""

    def annotate_queryset(self, pages: QuerySet[TargetListPage]) -> QuerySet[Any]:
        members = TargetListMember.objects.filter(target_list=OuterRef("pk")).order_by().values("target_list")
        # Not over the relation: the explorer shows folders, too, and asks for pages of any kind.
        segments = TargetListPage.live_segments.through.objects.filter(targetlistpage=OuterRef("pk"))
        runs = Run.objects.filter(mailing__campaign__target_lists=OuterRef("pk")).order_by("-started_at")
        annotated = super().annotate_queryset(pages)  # type: ignore[misc]
        return annotated.annotate(
            members_number=_number_of(members),
            segments_number=_number_of(segments.order_by().values("targetlistpage")),
            last_used=Subquery(runs.values("started_at")[:1]),
        )

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # Private pages are in no search index.
        view: Any = self
        return queryset.filter(title__icontains=view.search_query) if view.is_searching else queryset


def _number_of(rows: QuerySet[Any]) -> Coalesce:
    """Return how many of ``rows`` belong to the page in question; they are grouped by it."""
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


class TargetListsView(CountedLists, IndexView):
    """All target lists that the user may open."""

    page_title = gettext_lazy("Target lists")
    template_name = "wagtailadmin/generic/index.html"
    # The pages' own class pulls the pagination up over the last row.
    table_classname = "listing"
    results_template_name = "massmail_plugin/target_lists/index_results.html"

    def get_table(self, object_list: Any) -> Any:
        if TargetListIndexPage.objects.count() > 1:
            # Gives each of them its folder, in one query for all.
            BasePage.objects.annotate_parent_page(object_list)
        return super().get_table(object_list)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_open_lists(request.user):
            return _no_access(request)
        return super().dispatch(request, *args, **kwargs)

    def get_add_url(self) -> str | None:
        return url_to("choose_parent") if may_add_lists(self.request.user) else None


class FolderForm(forms.Form):
    """In which of the folders that the user may add lists to."""

    parent_page = forms.ModelChoiceField(
        TargetListIndexPage.objects.none(), label=gettext_lazy("Folder"), empty_label=None
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folder: Any = self.fields["parent_page"]
        folder.queryset = folders_to_add_to(user)


class AddTargetList(ChooseParentView):
    """Straight to the form of a new list, or first to its folder. The first folder is made when it is missing."""

    page_title = gettext_lazy("In which folder?")

    def get_form(self) -> FolderForm:
        return FolderForm(self.request.POST or None, user=self.request.user)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        get_index_page()
        if not may_add_lists(request.user):
            return _no_access(request)
        return super().get(request, *args, **kwargs)


def _no_access(request: HttpRequest) -> HttpResponse:
    """Say whom to ask for what, instead of only refusing."""
    context = {"folder": get_index_page(), "header_title": _("Target lists")}
    return TemplateResponse(request, "massmail_plugin/target_lists/no_access.html", context, status=403)
