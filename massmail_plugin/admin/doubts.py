"""Mails in doubt: who they are for, what is known about each, and the two buttons that decide."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.paginator import WagtailPaginator

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, may
from massmail_plugin.admin.delivery_rows import attach_addresses
from massmail_plugin.admin.mailing_screens import MailingScreen
from massmail_plugin.admin.screens import show_refusal, signed_in
from massmail_plugin.delivery.mails.messages import message_id
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.mailings import deciding
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.mailings.verbs import Refused

_PER_PAGE = 100
#: Digits of a number that fits the database's integers.
_DIGITS = 18


class DoubtsView(MailingScreen):
    """All mails in doubt of a mailing. Everybody who may look at it may see them; who may send decides."""

    template_name = "massmail_plugin/admin/mailing_doubts.html"
    object_permissions = LOOK
    step = _("In doubt")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mailing: Mailing = self.object
        doubts = with_what_is_known(deciding.in_doubt(mailing))
        page = WagtailPaginator(doubts, _PER_PAGE).get_page(self.request.GET.get("p"))
        page.object_list = attach_known(page.object_list, self.request.user)
        return {
            **super().get_context_data(**kwargs),
            **deciding_context(mailing, self.request.user),
            "doubts": page.object_list,
            "doubts_total": page.paginator.count,
            "items": page,
            "elided_page_range": page.paginator.get_elided_page_range(page.number),
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        mailing: Mailing = self.object
        user = signed_in(request)
        if not may(user, "send", Mailing, mailing):
            raise PermissionDenied
        try:
            messages.success(request, _decide(request, mailing, user))
        except Refused as refused:
            show_refusal(request, refused.problems)
        return redirect(names.own_page(names.MAILINGS, mailing.pk))


def _decide(request: HttpRequest, mailing: Mailing, user: Any) -> str:
    """Do what the pressed button says to the ticked mails, and return what came of it. Raises ``Refused``."""
    # "All" means those that the page has named: others may have come into doubt since it was loaded.
    until = _moment(request.POST.get("all", ""))
    chosen = None if until else _numbers(request.POST.getlist("delivery"))
    if chosen is not None and not chosen:
        raise Refused(gettext("Tick the mails first that you mean."))
    decision = request.POST.get("decision")
    if decision == "sent":
        number = deciding.count_as_sent(mailing, chosen, until=until, user=user)
        message = ngettext("%(number)d mail counts as sent.", "%(number)d mails count as sent.", number)
    elif decision == "again":
        number = deciding.send_again(mailing, chosen, until=until, user=user)
        nudge_tick()
        message = ngettext("%(number)d mail is sent again.", "%(number)d mails are sent again.", number)
    else:
        raise Refused(gettext("Press one of the two buttons."))
    return message % {"number": number}


def _numbers(values: Iterable[str]) -> list[int]:
    return [int(value) for value in values if value.isascii() and value.isdigit() and len(value) <= _DIGITS]


def _moment(value: str) -> dt.datetime | None:
    try:
        moment = parse_datetime(value)
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def deciding_context(mailing: Mailing, user: Any) -> dict[str, Any]:
    """Return what the table of mails in doubt needs besides its rows."""
    last: dt.datetime | None = deciding.in_doubt(mailing).aggregate(last=Max("doubted_at"))["last"]
    return {
        "doubted_until": last.isoformat() if last else "",
        "may_decide": may(user, "send", Mailing, mailing),
        "may_send_again": mailing.state != MailingState.CANCELLED,
        "doubts_url": doubts_url(mailing.pk),
    }


def doubts_url(mailing_id: int) -> str:
    return reverse(f"{names.MAILINGS}:doubts", args=(mailing_id,))


def with_what_is_known(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return the deliveries in their order, with all that the table shows."""
    return deliveries.select_related("account").order_by("pk")


def attach_known(deliveries: Iterable[Any], user: Any) -> list[Any]:
    """Give each delivery ``at``, ``message_id`` and ``address_url``."""
    found = list(deliveries)
    attach_addresses(found, user)
    for delivery in found:
        delivery.at = delivery.paced_at or delivery.doubted_at
        delivery.message_id = _searchable_id(delivery)
    return found


def _searchable_id(delivery: Delivery) -> str:
    """Return the Message-ID as mail servers write it into their logs; without its domain, once the account is gone."""
    whole = message_id(delivery.account or SenderAccount(), delivery.pk).strip("<>")
    return whole if delivery.account else whole.partition("@")[0]


def doubtful_mailings(campaign: Campaign, user: Any) -> list[dict[str, Any]]:
    """Return the mailings of a campaign with mails in doubt: name, number, and where to decide."""
    doubts = Delivery.objects.filter(run__mailing__campaign=campaign, state=DeliveryState.IN_DOUBT)
    counted = doubts.order_by().values_list("run__mailing_id", "run__mailing__name").annotate(Count("pk"))
    may_look = any(may(user, action, Mailing) for action in LOOK)
    return [
        {"name": name, "number": number, "url": doubts_url(pk) if may_look else ""}
        for pk, name, number in counted
    ]
