"""Target lists in the menu and in the page explorer: register both viewsets."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.views.pages.choose_parent import ChooseParentView
from wagtail.admin.views.pages.listing import ExplorableIndexView, IndexView
from wagtail.admin.viewsets.pages import PageListingViewSet, PageViewSet
from wagtail.admin.widgets.button import HeaderButton

from massmail_plugin.admin.target_lists.chooser_views import AddPeople, ChoosePeople, ConfirmAdd
from massmail_plugin.admin.target_lists.columns import ListTitleColumn
from massmail_plugin.admin.target_lists.import_page import (
    FailedRows,
    ImportPage,
    ImportProgress,
    StopImport,
)
from massmail_plugin.admin.target_lists.import_views import ChooseColumns, UploadFile
from massmail_plugin.admin.target_lists.member_views import MembersView, RemoveMembers
from massmail_plugin.admin.target_lists.page_views import CreateTargetList, EditTargetList, WithoutPrivacy
from massmail_plugin.admin.target_lists.permissions import (
    folders_to_add_to,
    may_add_lists,
    may_open_lists,
    works_with_lists,
)
from massmail_plugin.admin.target_lists.screens import NAMESPACE, url_to
from massmail_plugin.admin.target_lists.sizes import size_of
from massmail_plugin.admin.target_lists.transfer_views import CopyMembers, MergeLists, MoveMembers
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


class TargetListsMenuItem(MenuItem):
    """Not shown to those who have nothing to do with mailings; others are told whom to ask."""

    def is_shown(self, request: HttpRequest) -> bool:
        return works_with_lists(request.user)


class TargetListViewSet(PageListingViewSet):
    """The flat listing with its menu item, and all screens of one list."""

    model = TargetListPage
    name = NAMESPACE
    url_prefix = "target-lists"
    icon = "group"
    menu_label = gettext_lazy("Target lists")
    menu_item_class = TargetListsMenuItem
    index_view_class = TargetListsView
    choose_parent_view_class = AddTargetList
    columns = COLUMNS
    filterset_class = TargetListFilterSet

    def get_urlpatterns(self) -> list[URLPattern]:
        one, chosen = "<int:list_id>/", "<int:list_id>/add/<str:type_key>/"
        members, choose = self._listing(MembersView), self._listing(ChoosePeople)
        return [
            *super().get_urlpatterns(),
            path(one, members[0], name="members"),
            path(f"{one}results/", members[1], name="members_results"),
            path(f"{one}remove/", RemoveMembers.as_view(), name="remove_members"),
            path(f"{one}copy/", CopyMembers.as_view(), name="copy_members"),
            path(f"{one}move/", MoveMembers.as_view(), name="move_members"),
            path(f"{one}merge/", MergeLists.as_view(), name="merge"),
            path(f"{one}add/", AddPeople.as_view(), name="add_people"),
            path(chosen, choose[0], name="choose"),
            path(f"{chosen}results/", choose[1], name="choose_results"),
            path(f"{chosen}confirm/", ConfirmAdd.as_view(), name="confirm_add"),
            *self._import_urls(f"{one}import/"),
        ]

    @staticmethod
    def _import_urls(prefix: str) -> list[URLPattern]:
        one = f"{prefix}<int:pk>/"
        return [
            path(prefix, UploadFile.as_view(), name="import"),
            path(one, ImportPage.as_view(), name="import_page"),
            path(f"{one}columns/", ChooseColumns.as_view(), name="import_columns"),
            path(f"{one}progress/", ImportProgress.as_view(), name="import_progress"),
            path(f"{one}stop/", StopImport.as_view(), name="import_stop"),
            path(f"{one}failed/<str:format>/", FailedRows.as_view(), name="import_failed"),
        ]

    @staticmethod
    def _listing(view_class: Any) -> tuple[Any, Any]:
        """Return the view of a whole page, and that of its results alone."""
        return view_class.as_view(), view_class.as_view(results_only=True)


class ExplorerView(WithoutPrivacy, CountedLists, ExplorableIndexView):
    """The page explorer below the folder of target lists."""

    # Without the explorer's warning that pages outside of all sites have no public address: ours need none.
    results_template_name = "wagtailadmin/pages/index_results.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        # The viewset's model would leave out the folders in a folder.
        self.model = BasePage
        super().setup(request, *args, **kwargs)

    @cached_property
    def explorable_columns(self) -> list[Any]:
        return self.columns

    @cached_property
    def add_button(self) -> HeaderButton | None:
        return (
            HeaderButton(_("Add list or folder"), url=self.add_url, icon_name="plus")
            if self.add_url
            else None
        )


class TargetListPageViewSet(PageViewSet):
    """What the page explorer shows of target lists."""

    model = TargetListPage
    icon = "group"
    # By itself Wagtail takes it only below pages that hold nothing but lists; folders also hold folders.
    parent_models = [TargetListIndexPage]
    index_view_class = ExplorerView
    add_view_class = CreateTargetList
    edit_view_class = EditTargetList
    columns = COLUMNS
    filterset_class = TargetListFilterSet
