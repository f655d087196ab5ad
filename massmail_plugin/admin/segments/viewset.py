"""Segments: listing, forms, and the routes of a segment's own screens."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Count
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn
from wagtail.admin.viewsets.model import ModelViewSet

from massmail_plugin import recipients
from massmail_plugin.admin import names
from massmail_plugin.admin.screens import Listing, ScopedViews
from massmail_plugin.admin.segments.copying import CopyPeople
from massmail_plugin.admin.segments.counting import CountPeople
from massmail_plugin.admin.segments.editing import ChooseType, CreateSegment, EditSegment
from massmail_plugin.admin.segments.form import SegmentForm
from massmail_plugin.admin.segments.page import SegmentPage
from massmail_plugin.audience.segments.models import Segment


class SegmentFilterSet(WagtailFilterSet):
    recipient_type = django_filters.ChoiceFilter(
        label=_("Type"),
        choices=lambda: [(each.key, each.label_plural) for each in recipients.all_types()],
    )

    class Meta:
        model = Segment
        fields: list[str] = []


class SegmentListing(Listing):
    empty_text = _(
        "No segment yet. A segment is everybody who fits some filters, for example all customers in Dublin, looked "
        "up anew for each mailing."
    )


class SegmentViewSet(ScopedViews, ModelViewSet):
    model = Segment
    name = names.SEGMENTS
    url_prefix = "massmail/segments"
    menu_label = _("Segments")
    icon = "crosshairs"
    index_view_class = SegmentListing
    add_view_class = CreateSegment
    edit_view_class = EditSegment
    inspect_view_class = SegmentPage
    filterset_class = SegmentFilterSet
    search_fields = ["name", "description"]
    list_per_page = 30
    ordering = ["name", "pk"]
    list_display = [
        "name",
        Column(
            "recipient_type",
            label=_("Type"),
            accessor="get_recipient_type_display",
            sort_key="recipient_type",
        ),
        NumberColumn("campaigns_number", label=_("Campaigns"), sort_key="campaigns_number"),
        NumberColumn("lists_number", label=_("Target lists"), sort_key="lists_number"),
        DateColumn("created_at", label=_("Created"), sort_key="created_at"),
    ]

    def get_form_class(self, for_update: bool = False) -> Any:
        return SegmentForm

    def get_index_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        counted = Segment.objects.annotate(
            campaigns_number=Count("campaigns", distinct=True) + Count("campaigns_excluding", distinct=True),
            lists_number=Count("target_lists", distinct=True),
        )
        return super().get_index_view_kwargs(**{"queryset": counted, **kwargs})

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            # The first of them is what the menu leads to.
            *(pattern for pattern in super().get_urlpatterns() if pattern.name != "add"),
            # Before the form: whom is it about?
            path("new/", ChooseType.as_view(), name="add"),
            path("new/<str:type_key>/", self.add_view, name="add_of_type"),
            path("count/<str:type_key>/", CountPeople.as_view(), name="count"),
            path("count/<str:type_key>/<int:pk>/", CountPeople.as_view(), name="count_saved"),
            path("copy-people/<int:pk>/", CopyPeople.as_view(), name="copy_people"),
        ]
