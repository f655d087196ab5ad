"""An address's own page: what its person has said, and the mails it got."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from wagtail.admin.paginator import WagtailPaginator

from massmail_plugin.admin import names
from massmail_plugin.admin.delivery_rows import attach_events
from massmail_plugin.admin.screens import OwnPage
from massmail_plugin.admin.standings import standing
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients.departments import within_reach
from massmail_plugin.recipients.models import EVERYTHING, EmailAddress

_MAILS_PER_PAGE, _EVENTS = 30, 200


class AddressPage(OwnPage):
    template_name = "massmail_plugin/admin/address_page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        address: EmailAddress = self.object
        deliveries = (
            Delivery.objects.filter(
                within_reach(self.request.user, "run__mailing__campaign__department"), address=address
            )
            .select_related("run__mailing__campaign")
            .order_by("-pk")
        )
        mails = WagtailPaginator(deliveries, _MAILS_PER_PAGE).get_page(self.request.GET.get("p"))
        mails.object_list = list(mails.object_list)
        attach_events(mails.object_list)
        return {
            **super().get_context_data(**kwargs),
            "address": address,
            "standing": standing(address),
            "events": address.consent_events.select_related("actor")[:_EVENTS],
            "opt_outs": [] if address.erased_since else opt_outs(address),
            "mails": mails,
            "page_url": self.request.path,
            "may_change": self.user_has_permission("change") and not address.erased_since,
            "opt_out_url": reverse(f"{names.ADDRESSES}:opt_out", args=(address.pk,)),
            "erase_url": self._erase_url(),
            "mark_valid_url": reverse(f"{names.ADDRESSES}:mark_valid", args=(address.pk,)),
        }

    def _erase_url(self) -> str:
        if self.object.erased_since or not self.user_has_permission("erase"):
            return ""
        return reverse(f"{names.ADDRESSES}:erase", args=(self.object.pk,))


def opt_outs(address: EmailAddress) -> list[dict[str, Any]]:
    """Return the opt-outs that hold now: of what, since when, and where to take each back.

    That of somebody who has reported a mail as spam stays: mailing them again harms the sender's name everywhere.
    """
    found: list[dict[str, Any]] = []
    if address.opted_out_since:
        found.append({"label": _("All mailings"), "since": address.opted_out_since, "scope": EVERYTHING})
    labels = dict(address.consent_events.order_by("at", "pk").values_list("scope", "scope_label"))
    for opt_out in address.list_opt_outs.order_by("since"):
        label = labels.get(opt_out.scope) or opt_out.scope
        found.append({"label": label, "since": opt_out.since, "scope": opt_out.scope})
    for row in found:
        url = reverse(f"{names.ADDRESSES}:opt_in", args=(address.pk,))
        is_final = row["scope"] == EVERYTHING and address.complained_since
        row["url"] = "" if is_final else f"{url}?{urlencode({'scope': row['scope']})}"
    return found
