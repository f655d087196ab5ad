"""The log of a campaign: every delivery of all its runs, and what came back."""

from __future__ import annotations

from typing import Any

import django_filters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column
from wagtail.admin.widgets.button import Button

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, PolicyOf
from massmail_plugin.admin.columns import AddressColumn, LinkColumn, MomentColumn
from massmail_plugin.admin.delivery_rows import attach_cells, export
from massmail_plugin.admin.doubts import doubtful_mailings
from massmail_plugin.admin.exporting import Exported, Spreadsheet
from massmail_plugin.admin.screens import Listing
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState


class DeliveryLogFilterSet(WagtailFilterSet):
    mailing = django_filters.ModelChoiceFilter(
        label=_("Mailing"), field_name="run__mailing", queryset=Mailing.objects.none()
    )
    state = django_filters.MultipleChoiceFilter(
        label=_("Status"), choices=DeliveryState.choices, widget=CheckboxSelectMultiple
    )
    reason = django_filters.ChoiceFilter(label=_("Reason"), choices=Reason.choices)
    event = django_filters.ChoiceFilter(
        label=_("What came back"), choices=DeliveryEvent.Kind.choices, method="by_event"
    )

    class Meta:
        model = Delivery
        fields: list[str] = []

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        self.filters["mailing"].queryset = campaign.mailings.all()

    def by_event(self, queryset: QuerySet[Delivery], name: str, kind: str) -> QuerySet[Delivery]:
        happened = DeliveryEvent.objects.filter(kind=kind, delivery__run__mailing__campaign=self.campaign)
        return queryset.filter(pk__in=happened.values("delivery"))


class DeliveryLog(Exported, PolicyOf, Listing):
    """Searched by name and address, filtered, exported as it is filtered."""

    permission_model = Campaign
    model = Delivery
    any_permission_required = ["view", "change", "delete"]
    results_template_name = "massmail_plugin/admin/delivery_log_results.html"
    search_fields = ["name", "email"]
    filterset_class = DeliveryLogFilterSet
    paginate_by = 50
    all_columns = [
        Column("name", label=_("Name")),
        AddressColumn("email", label=_("Address")),
        LinkColumn(
            "mailing", label=_("Mailing"), accessor="run.mailing", url_name=f"{names.MAILINGS}:inspect"
        ),
        Column("source_label", label=_("Through")),
        Column("state", label=_("Status"), accessor="get_state_display"),
        Column("details", label=_("Details")),
        Column("came_back", label=_("What came back"), accessor="came_back"),
        MomentColumn("handed_at", label=_("Sent")),
    ]

    @cached_property
    def columns(self) -> list[Column]:
        is_one_mailing = self.filters.is_valid() and self.filters.form.cleaned_data["mailing"]
        return [column for column in self.all_columns if column.name != "mailing" or not is_one_mailing]

    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.campaign = get_object_or_404(Campaign, pk=kwargs["pk"])

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        policy = self.permission_policy
        if not policy.user_has_any_permission_for_instance(request.user, LOOK, self.campaign):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_page_title(self) -> str:
        return gettext("Log of “%(campaign)s”") % {"campaign": self.campaign}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{names.CAMPAIGNS}:index"), "label": gettext("Campaigns")},
            {"url": names.own_page(names.CAMPAIGNS, self.campaign.pk), "label": str(self.campaign)},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_index_url(self) -> str:
        return names.delivery_log(self.campaign.pk)

    def get_index_results_url(self) -> str:
        return reverse(f"{names.CAMPAIGNS}:log_results", args=(self.campaign.pk,))

    def get_filterset_kwargs(self) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(), "campaign": self.campaign}

    def get_base_queryset(self) -> QuerySet[Delivery]:
        deliveries = Delivery.objects.filter(run__mailing__campaign=self.campaign)
        return deliveries.select_related("run__mailing").order_by("-pk")

    def order_queryset(self, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset

    def get_table(self, object_list: Any) -> Any:
        deliveries = list(object_list)
        attach_cells(deliveries, self.request.user)
        return super().get_table(deliveries)

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        to_list = reverse(f"{names.CAMPAIGNS}:log_to_list", args=(self.campaign.pk,))
        shown = self.query_shown().urlencode()
        label = gettext("Add these people to a target list")
        url = f"{to_list}?{shown}" if shown else to_list
        return [Button(label, url=url, icon_name="group", priority=90), *self.export_buttons()]

    def spreadsheet(self) -> Spreadsheet:
        return f"campaign-{self.campaign.pk}-log", *export(self.object_list)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        doubtful = doubtful_mailings(self.campaign, self.request.user)
        return {**super().get_context_data(**kwargs), "doubtful_mailings": doubtful}
