"""The screen "Sending": who does the work, how much waits, and what to do when nothing moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
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
from wagtail.permissions import policy_registry

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, PolicyOf, may
from massmail_plugin.admin.alarms import alarms, sending_url
from massmail_plugin.admin.columns import state_class
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.models import Epoch, Heartbeat
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import OPEN, UNDER_WAY, DeliveryState, MailingState
from massmail_plugin.mailings.usage import sent_through

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
        accounts = account_rows(self.request.user)
        return {
            **super().get_context_data(**kwargs),
            "alarms": alarms(self.request.user),
            "doubtful": epoch.doubt(),
            "may_confirm": may(self.request.user, "change", Epoch),
            "is_silent": heartbeats.is_silent(),
            "runner": conf.get("RUNNER"),
            "last_tick": None if silence is None else now - silence,
            "processes": seen_lately(now),
            "queue": queue(),
            "mailings": waiting_mailings(),
            "troubles": troubles(self.request.user),
            "stopped": any(row.account.state == SenderAccount.State.FAULTY for row in accounts),
            "accounts": accounts,
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
class Process:
    """One process on one machine, whatever signs of life it gives."""

    what: str
    host: str
    number: int
    started_at: datetime
    last_seen: datetime
    status: str
    state_class: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A mailing that somebody should look at."""

    mailing: Mailing
    url: str
    state_class: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    account: SenderAccount
    url: str
    state_class: str
    in_flight: int
    sent_last_hour: int


def seen_lately(now: datetime) -> list[Process]:
    """Return the processes of the last hour, the living first. One may give several signs of life."""
    beats = Heartbeat.objects.filter(last_seen__gte=now - _RECENT).order_by("-last_seen")
    by_process: dict[tuple[str, int], list[Heartbeat]] = {}
    for beat in beats[:200]:
        by_process.setdefault((beat.host, beat.process), []).append(beat)
    processes = [_process(signs, now) for signs in by_process.values()]
    return sorted(processes, key=lambda one: (one.state_class != state_class("ready"), now - one.last_seen))[
        :50
    ]


def _process(signs: list[Heartbeat], now: datetime) -> Process:
    kinds = {sign.kind for sign in signs}
    newest = signs[0]
    if newest.stopped_at:
        status, colour = _("stopped"), ""
    elif newest.last_seen >= now - heartbeats.SILENT_AFTER:
        status, colour = _("alive"), state_class("ready")
    else:
        status, colour = _("ended, or does not answer"), ""
    return Process(
        _what(kinds),
        newest.host,
        newest.process,
        min(one.started_at for one in signs),
        newest.last_seen,
        status,
        colour,
    )


def _what(kinds: set[str]) -> str:
    if Heartbeat.Kind.WORKER in kinds:
        return "massmail_worker"
    if Heartbeat.Kind.CLUSTER in kinds or conf.get("RUNNER") == "django-q":
        return _("worker of a django-q2 cluster")
    return "massmail_tick"


def troubles(user: Any) -> list[Trouble]:
    """Return the mailings that ``user`` may look at and that cannot go on, or go on with trouble."""
    policy = policy_registry.get_by_type(Mailing)
    reachable: QuerySet[Mailing] = policy.instances_user_has_any_permission_for(user, LOOK)
    found = reachable.filter(
        Q(state__in=(MailingState.INTERRUPTED, MailingState.ACTIVE_ERROR))
        | (Q(state=MailingState.PAUSED) & ~Q(notice=""))
    )
    return [
        Trouble(mailing, names.own_page(names.MAILINGS, mailing.pk), state_class(mailing.state))
        for mailing in found.order_by("-pk")[:20]
    ]


def queue() -> list[tuple[Any, int]]:
    """Return for each state the number of mails of mailings under way that have not found their end."""
    open_mails = Delivery.objects.filter(state__in=OPEN, run__mailing__state__in=UNDER_WAY).order_by()
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
    now = clock.now()
    sent = sent_through([account.pk for account in accounts], now)
    # A range of one index of the ledger, by account and time: what is in flight has a mark in the last hour, or later.
    recent = Delivery.objects.filter(account__in=accounts, paced_at__gte=now - timedelta(hours=1))
    numbers = (
        recent.filter(state__in=_IN_FLIGHT).order_by().values_list("account").annotate(number=Count("pk"))
    )
    in_flight = dict(numbers)
    order = {SenderAccount.State.FAULTY: 0, SenderAccount.State.READY: 1}
    return [
        AccountRow(
            account,
            names.own_page(names.ACCOUNTS, account.pk) if may(user, "view", SenderAccount, account) else "",
            state_class(account.state),
            in_flight.get(account.pk, 0),
            sent[account.pk].hour,
        )
        for account in sorted(accounts, key=lambda account: order.get(account.state, 2))  # type: ignore[call-overload]
    ]


def permissions() -> QuerySet[Any]:
    """For the hook ``register_permissions``: who may see the screen, and who may confirm."""
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(content_type__app_label="massmail_plugin", content_type__model="epoch")
