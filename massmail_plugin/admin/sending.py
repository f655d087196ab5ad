"""The screen "Sending": who does the work, how much waits, and what to do when nothing moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, PolicyOf, may
from massmail_plugin.admin.alarms import alarms, sending_url
from massmail_plugin.admin.columns import state_class
from massmail_plugin.delivery import clock, epoch, heartbeats
from massmail_plugin.delivery.foreground import TICK_SECONDS
from massmail_plugin.delivery.models import Epoch, Heartbeat
from massmail_plugin.delivery.nudges import nudge_tick
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import OPEN, RUNNING, UNDER_WAY, DeliveryState

#: Processes that were seen so long ago are of no interest.
_RECENT = timedelta(hours=1)
_IN_FLIGHT = (DeliveryState.CLAIMED, DeliveryState.HANDING)


class SendingPage(PolicyOf, PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    permission_model = Epoch
    any_permission_required: Sequence[str] = LOOK
    template_name = "massmail_plugin/admin/sending.html"
    page_title = gettext_lazy("Sending")
    header_icon = "mail"
    _show_breadcrumbs = True

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": _("Sending")}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = clock.now()
        silence = heartbeats.silence(Heartbeat.Kind.TICK)
        return {
            **super().get_context_data(**kwargs),
            "alarms": alarms(self.request.user),
            "doubtful": epoch.doubt(),
            "may_confirm": may(self.request.user, "change", Epoch),
            "is_silent": heartbeats.is_silent(),
            "runner": conf.get("RUNNER"),
            "last_tick": None if silence is None else now - silence,
            "next_tick": next_tick(now, silence),
            "processes": seen_lately(now),
            "queue": queue(),
            "mailings": waiting_mailings(),
            "accounts": account_rows(self.request.user),
        }


class Confirm(PolicyOf, PermissionCheckedMixin, View):
    """A person says that this is the right database; ``pause``: hold back what is under way."""

    permission_model = Epoch
    permission_required = "change"
    http_method_names = ["post"]
    pause = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if epoch.doubt() is None:
            messages.warning(request, _("Somebody else has confirmed it already."))
            return redirect(sending_url())
        held = epoch.confirm(pause=self.pause, user=request.user)  # type: ignore[arg-type]
        nudge_tick()
        if self.pause:
            message = ngettext(
                "Confirmed. %(number)d mailing waits: look at it, then press Resume or Cancel.",
                "Confirmed. %(number)d mailings wait: look at each, then press Resume or Cancel.",
                held,
            )
            messages.success(request, message % {"number": held})
        else:
            messages.success(request, _("Confirmed. Mails leave again."))
        return redirect(sending_url())


class SendingMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return any(may(request.user, action, Epoch) for action in ("view", "change"))


class SendingViewSet(ViewSet):
    name = names.SENDING
    url_prefix = "massmail/sending"
    menu_label = gettext_lazy("Sending")
    icon = "cogs"
    menu_item_class = SendingMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", SendingPage.as_view(), name="index"),
            path("confirm/", Confirm.as_view(pause=True), name="confirm"),
            path("go-on/", Confirm.as_view(pause=False), name="go_on"),
        ]


@dataclass(frozen=True, slots=True)
class AccountRow:
    account: SenderAccount
    url: str
    state_class: str
    in_flight: int
    sent_last_hour: int


def next_tick(now: datetime, silence: timedelta | None) -> datetime | None:
    """Return when the next tick is to be expected; None if nobody seems to tick."""
    if silence is None or silence > heartbeats.SILENT_AFTER:
        return None
    return max(now, now - silence + timedelta(seconds=TICK_SECONDS))


def seen_lately(now: datetime) -> QuerySet[Heartbeat]:
    return Heartbeat.objects.filter(last_seen__gte=now - _RECENT).order_by("-last_seen")[:50]


def queue() -> list[tuple[Any, int]]:
    """Return for each state the number of mails of running mailings that have not found their end."""
    open_mails = Delivery.objects.filter(state__in=OPEN, run__mailing__state__in=RUNNING).order_by()
    counts = dict(open_mails.values("state").annotate(number=Count("pk")).values_list("state", "number"))
    return [(state.label, counts[state]) for state in OPEN if state in counts]


def waiting_mailings() -> list[tuple[Any, int]]:
    """Return for each state of mailings that are under way how many there are."""
    here = Mailing.objects.filter(state__in=UNDER_WAY).order_by()
    counts = dict(here.values("state").annotate(number=Count("pk")).values_list("state", "number"))
    return [(state.label, counts[state]) for state in UNDER_WAY if state in counts]


def account_rows(user: Any) -> list[AccountRow]:
    """Return every account with what it does now; those that need somebody first."""
    accounts = list(SenderAccount.objects.select_related("owner"))
    # Ranges of one index of the ledger, by account and time.
    recent = Delivery.objects.filter(account__in=accounts, paced_at__gte=clock.now() - timedelta(hours=1))
    numbers = recent.order_by().values_list("account", "state").annotate(number=Count("pk"))
    counts = {(account_id, state): number for account_id, state, number in numbers}
    order = {SenderAccount.State.FAULTY: 0, SenderAccount.State.READY: 1}
    return [
        AccountRow(
            account,
            names.own_page(names.ACCOUNTS, account.pk) if may(user, "view", SenderAccount, account) else "",
            state_class(account.state),
            sum(counts.get((account.pk, state), 0) for state in _IN_FLIGHT),
            counts.get((account.pk, DeliveryState.ACCEPTED), 0),
        )
        for account in sorted(accounts, key=lambda account: order.get(account.state, 2))  # type: ignore[call-overload]
    ]


def permissions() -> QuerySet[Any]:
    """For the hook ``register_permissions``: who may see the screen, and who may confirm."""
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(content_type__app_label="massmail_plugin", content_type__model="epoch")
