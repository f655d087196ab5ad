"""A campaign's own page: its mailings, its figures, its lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.widgets.button import HeaderButton

from massmail_plugin.admin import names
from massmail_plugin.admin.access import may
from massmail_plugin.admin.columns import state_class
from massmail_plugin.admin.figures import shown_figures
from massmail_plugin.admin.screens import OwnPage
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.admin.target_lists.sizes import size_of, with_sizes
from massmail_plugin.feedback.figures import figures_for_campaign
from massmail_plugin.mailings.models import Campaign, Mailing, Run
from massmail_plugin.mailings.progress import progress_of

#: How many of its mailings the page shows; the listing has them all.
_MAILINGS = 50


class CampaignPage(OwnPage):
    template_name = "massmail_plugin/admin/campaign_page.html"

    @cached_property
    def header_buttons(self) -> list[Any]:
        buttons = super().header_buttons
        if self.new_mailing_url:
            buttons = [
                *buttons,
                HeaderButton(_("New mailing"), url=self.new_mailing_url, icon_name="plus", priority=10),
            ]
        return buttons

    @cached_property
    def new_mailing_url(self) -> str:
        if not may(self.request.user, "add", Mailing):
            return ""
        return f"{reverse(f'{names.MAILINGS}:add')}?campaign={self.object.pk}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        campaign: Campaign = self.object
        figures = figures_for_campaign(campaign)
        return {
            **super().get_context_data(**kwargs),
            "mailings": mailings_of(campaign),
            "mailings_total": campaign.mailings.count(),
            "all_mailings_url": f"{reverse(f'{names.MAILINGS}:index')}?campaign={campaign.pk}",
            "new_mailing_url": self.new_mailing_url,
            "figures": figures,
            "shown_figures": shown_figures(figures, Run.objects.filter(mailing__campaign=campaign)),
            "goes_to": [*lists_in(campaign.target_lists), *segments_in(campaign.segments)],
            "never_to": [
                *lists_in(campaign.excluded_lists),
                *segments_in(campaign.excluded_segments),
                *mailings_in(campaign.excluded_mailings),
            ],
            "tracking_urls": campaign.tracking_urls.all(),
            "log_url": names.delivery_log(campaign.pk),
            "edit_url": self.get_edit_url(),
        }


def mailings_of(campaign: Campaign) -> list[Any]:
    """Return the newest mailings of a campaign with their progress, address and colour."""
    mailings: list[Any] = list(campaign.mailings.select_related("owner")[:_MAILINGS])
    progress = progress_of(mailing.pk for mailing in mailings)
    for mailing in mailings:
        mailing.progress = progress[mailing.pk]
        mailing.state_class = state_class(mailing.state)
        mailing.url = names.own_page(names.MAILINGS, mailing.pk)
    return mailings


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that brings people in or keeps them out: its name, its address, and a few words about it."""

    name: str
    url: str
    about: str


def lists_in(lists: Any) -> list[Named]:
    """Return target lists by title, with how big they are and the address of their people."""
    found = with_sizes(lists.get_queryset())
    return [Named(str(each), url_to("members", each.pk), size_of(each)) for each in found]


def segments_in(segments: Any) -> list[Named]:
    """Return segments by name, with whom they choose from."""
    about = _("segment, %(types)s")
    return [
        Named(
            str(each),
            names.own_page(names.SEGMENTS, each.pk),
            about % {"types": each.get_recipient_type_display()},
        )
        for each in segments.get_queryset().order_by("name", "pk")
    ]


def mailings_in(mailings: Any) -> list[Named]:
    """Return mailings by name: whoever already got one of them."""
    return [
        Named(str(each), names.own_page(names.MAILINGS, each.pk), _("whoever already got this mailing"))
        for each in mailings.get_queryset().order_by("name", "pk")
    ]
