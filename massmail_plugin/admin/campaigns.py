"""Campaigns: listing, form, and the routes of a campaign's own page and log."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib.auth import get_user_model
from django.db.models import Count, Max
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.panels import FieldPanel, InlinePanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn, UserColumn
from wagtail.admin.viewsets.model import ModelViewSet

from massmail_plugin.admin import names
from massmail_plugin.admin.access import ScopedListing, reachable
from massmail_plugin.admin.campaign_form import CampaignForm
from massmail_plugin.admin.campaign_page import CampaignPage
from massmail_plugin.admin.delivery_log import DeliveryLog
from massmail_plugin.admin.department_field import department_of
from massmail_plugin.admin.log_to_list import AddFromLog
from massmail_plugin.admin.mailing_choices import FindMailings
from massmail_plugin.admin.screens import Create, Listing, ScopedViews
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.departments import all_departments


class CampaignFilterSet(WagtailFilterSet):
    owner = django_filters.ModelChoiceFilter(
        label=_("Owner"),
        queryset=lambda request: get_user_model().objects.filter(
            pk__in=reachable(request.user, Campaign).order_by().values("owner").distinct()
        ),
    )

    class Meta:
        model = Campaign
        fields = ["kind", "owner"]


class CampaignListing(ScopedListing, Listing):
    empty_text = _(
        "No campaign yet. A campaign says who gets your mailings: choose its target lists, then write its mailings."
    )

    @cached_property
    def columns(self) -> list[Any]:
        departments = all_departments().exists()
        return [column for column in super().columns if departments or column.name != "department"]

    def get_table(self, object_list: Any) -> Any:
        campaigns = list(object_list)
        attach_figures(campaigns)
        return super().get_table(campaigns)


class CampaignCreate(Create):
    def get_initial_form_instance(self) -> Campaign:
        user: Any = self.request.user
        return Campaign(owner=user, department=department_of(user))


class CampaignViewSet(ScopedViews, ModelViewSet):
    model = Campaign
    name = names.CAMPAIGNS
    url_prefix = "massmail/campaigns"
    menu_label = _("Campaigns")
    icon = "thumbtack"
    index_view_class = CampaignListing
    add_view_class = CampaignCreate
    inspect_view_class = CampaignPage
    filterset_class = CampaignFilterSet
    search_fields = ["name"]
    list_per_page = 30
    list_display = [
        "name",
        "kind",
        UserColumn("owner", label=_("Owner"), sort_key="owner__username"),
        Column("department", label=_("Department"), sort_key="department__name"),
        NumberColumn("mailings_number", label=_("Mailings")),
        NumberColumn("sent_number", label=_("Mails sent")),
        DateColumn("last_activity", label=_("Last activity")),
    ]
    edit_handler = ObjectList(
        [
            MultiFieldPanel(["name", "kind", "department"], heading=_("Campaign")),
            MultiFieldPanel(
                [FieldPanel("target_lists"), FieldPanel("segments")],
                heading=_("Who gets the mailings"),
            ),
            MultiFieldPanel(
                [
                    FieldPanel("excluded_lists"),
                    FieldPanel("excluded_segments"),
                    FieldPanel("excluded_mailings"),
                ],
                heading=_("Who does not get them"),
            ),
            InlinePanel(
                "tracking_urls",
                heading=_("Tracking URLs"),
                label=_("Tracking URL"),
                help_text=_("Links whose clicks you want to count, with a name that templates can use."),
            ),
        ],
        base_form_class=CampaignForm,
    )

    def get_index_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        campaigns = Campaign.objects.select_related("owner__wagtail_userprofile", "department")
        return super().get_index_view_kwargs(**{"queryset": campaigns, **kwargs})

    def get_urlpatterns(self) -> list[URLPattern]:
        log = {"permission_model": Campaign, "header_icon": self.icon}
        return [
            *super().get_urlpatterns(),
            path("log/<int:pk>/", DeliveryLog.as_view(**log), name="log"),
            path("log/<int:pk>/add-to-list/", AddFromLog.as_view(), name="log_to_list"),
            path("find-mailings/", FindMailings.as_view(), name="find_mailings"),
            path("log-results/<int:pk>/", DeliveryLog.as_view(**log, results_only=True), name="log_results"),
        ]


def attach_figures(campaigns: list[Any]) -> None:
    """Give each campaign the numbers that its row shows, in two queries for all."""
    ids = [campaign.pk for campaign in campaigns]
    mailings = Mailing.objects.filter(campaign__in=ids).order_by().values("campaign_id")
    known: dict[int, Any] = {
        row["campaign_id"]: row for row in mailings.annotate(number=Count("pk"), newest=Max("created_at"))
    }
    accepted = Delivery.objects.filter(
        run__mailing__campaign__in=ids, state=DeliveryState.ACCEPTED
    ).order_by()
    sent: dict[int, Any] = {
        row["run__mailing__campaign_id"]: row
        for row in accepted.values("run__mailing__campaign_id").annotate(
            number=Count("pk"), newest=Max("handed_at")
        )
    }
    for campaign in campaigns:
        mailing_row: dict[str, Any] = known.get(campaign.pk, {})
        sent_row: dict[str, Any] = sent.get(campaign.pk, {})
        moments = (campaign.created_at, mailing_row.get("newest"), sent_row.get("newest"))
        campaign.mailings_number = mailing_row.get("number", 0)
        campaign.sent_number = sent_row.get("number", 0)
        campaign.last_activity = max(moment for moment in moments if moment)
