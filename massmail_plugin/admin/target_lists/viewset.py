"""Target lists in the menu and in the page explorer: register both viewsets."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.pages.listing import ExplorableIndexView
from wagtail.admin.viewsets.pages import PageListingViewSet, PageViewSet
from wagtail.admin.widgets.button import HeaderButton

from massmail_plugin.admin.target_lists.chooser_views import AddPeople, ChoosePeople, ConfirmAdd
from massmail_plugin.admin.target_lists.import_page import (
    FailedRows,
    ImportPage,
    ImportProgress,
    StopImport,
)
from massmail_plugin.admin.target_lists.import_views import ChooseColumns, UploadFile
from massmail_plugin.admin.target_lists.index import (
    COLUMNS,
    AddTargetList,
    CountedLists,
    TargetListFilterSet,
    TargetListsView,
)
from massmail_plugin.admin.target_lists.member_views import MembersView
from massmail_plugin.admin.target_lists.page_views import CreateTargetList, EditTargetList, WithoutPrivacy
from massmail_plugin.admin.target_lists.permissions import (
    works_with_lists,
)
from massmail_plugin.admin.target_lists.removing import RemoveMembers
from massmail_plugin.admin.target_lists.screens import NAMESPACE
from massmail_plugin.admin.target_lists.transfer_views import CopyMembers, MergeLists, MoveMembers
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage
from massmail_plugin.base_page import BasePage


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
