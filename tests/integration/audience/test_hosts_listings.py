"""The mixin for listings of the host's, whatever those look like."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from massmail_plugin.admin.listing import MassmailListingMixin
from massmail_plugin.admin.target_lists.selection import Listing, SelectionRefused, everything_in
from sandbox.crm.models import Lead

pytestmark = pytest.mark.django_db


class OwnLeads(generic.IndexView):
    """A listing that shows everybody only their own leads, and nothing to some."""

    model = Lead
    index_results_url_name = "lead:index_results"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.username == "stranger":  # type: ignore[union-attr]
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]

    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().filter(assigned_to=self.request.user)


class OwnLeadViewSet(MassmailListingMixin, ModelViewSet):
    model = Lead
    index_view_class = OwnLeads
    search_fields = ["last_name"]
    list_filter = ["status"]
    form_fields = ["last_name"]
    # The addresses of the sandbox's own listing.
    name = "lead"


class WithOwnGet(OwnLeads):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)  # type: ignore[no-any-return]


@pytest.fixture
def request_by(rf: RequestFactory, django_user_model: Any) -> Any:
    def request_for(username: str, query: str) -> HttpRequest:
        request = rf.get(f"/admin/own/?{query}")
        request.user = django_user_model.objects.get_or_create(
            username=username, defaults={"is_superuser": True}
        )[0]
        return request

    return request_for


def listing(viewset: ModelViewSet) -> Listing:
    view = viewset.index_view
    return Listing(view.view_class, view.view_initkwargs)


def test_a_hosts_own_view_class_keeps_its_rules(request_by: Any, leads: list[Lead]) -> None:
    mine = request_by("nora", "status=new&id=all")
    Lead.objects.filter(pk__in=[lead.pk for lead in leads[20:30]]).update(assigned_to=mine.user)
    found = everything_in(listing(OwnLeadViewSet()), mine)

    assert set(found) == set(leads[20:25])
    with pytest.raises(PermissionDenied):
        everything_in(listing(OwnLeadViewSet()), request_by("stranger", "id=all"))


def test_a_search_in_fields_of_the_viewset_narrows(request_by: Any, leads: list[Lead]) -> None:
    mine = request_by("nora", "q=No07&id=all")
    Lead.objects.update(assigned_to=mine.user)

    assert [lead.last_name for lead in everything_in(listing(OwnLeadViewSet()), mine)] == ["No07"]


def test_a_search_where_there_is_none_is_refused(request_by: Any, leads: list[Lead]) -> None:
    class Unsearchable(OwnLeadViewSet):
        search_fields = None

    with pytest.raises(SelectionRefused):
        everything_in(listing(Unsearchable()), request_by("nora", "q=No07&id=all"))


def test_a_listing_that_works_in_a_way_of_its_own_is_refused(request_by: Any) -> None:
    with pytest.raises(SelectionRefused, match="page by page"):
        everything_in(Listing(WithOwnGet), request_by("nora", "id=all"))


class AlreadyWithBoxes(OwnLeads):
    columns = [BulkActionsCheckboxColumn("bulk_actions", obj_type="item")]


def test_a_listing_that_has_boxes_gets_no_second_column_of_them() -> None:
    class WithBoxes(OwnLeadViewSet):
        index_view_class = AlreadyWithBoxes

    for viewset, number in ((WithBoxes(), 1), (OwnLeadViewSet(), 1)):
        view = viewset.index_view.view_class(**viewset.index_view.view_initkwargs)
        view.setup(RequestFactory().get("/"))
        assert sum(isinstance(column, BulkActionsCheckboxColumn) for column in view.columns) == number


def test_the_other_views_of_the_viewset_stay_as_they_are() -> None:
    assert OwnLeadViewSet().edit_view.view_class is ModelViewSet.edit_view_class
