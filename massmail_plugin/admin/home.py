"""What Wagtail's start page says about mailings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from wagtail.admin.ui.components import Component
from wagtail.permissions import policy_registry

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK
from massmail_plugin.admin.alarms import account_alarms, alarms
from massmail_plugin.admin.columns import state_class
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import UNDER_WAY, DeliveryState, MailingState

_SHOWN = 10


class MailingsPanel(Component):
    """What keeps mails from leaving, and the mailings under way that the user may look at; or nothing."""

    name = "massmail_mailings"
    template_name = "massmail_plugin/admin/home.html"
    order = 220

    class Media:
        css = {"all": ["massmail_plugin/admin.css"]}

    def get_context_data(self, parent_context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        user = (parent_context or {})["request"].user
        # One more than is shown tells whether there are more.
        mailings: list[Any] = list(under_way(user)[: _SHOWN + 1])
        for mailing in mailings:
            mailing.url = names.own_page(names.MAILINGS, mailing.pk)
            mailing.state_class = state_class(mailing.state)
            mailing.waits_for_decision = mailing.state == MailingState.DONE
        states = urlencode({"state": UNDER_WAY}, doseq=True)
        may_look = policy_registry.get_by_type(Mailing).user_has_any_permission(user, LOOK)
        return {
            "alarms": [*(alarms(user) if may_look else []), *account_alarms(user)],
            "mailings": mailings[:_SHOWN],
            "all_url": f"{reverse(f'{names.MAILINGS}:index')}?{states}" if len(mailings) > _SHOWN else "",
        }


def under_way(user: Any) -> QuerySet[Mailing]:
    """Return the mailings under way that ``user`` may look at; first what needs somebody, then the newest.

    Those that are done but for mails in doubt wait for a decision.
    """
    policy = policy_registry.get_by_type(Mailing)
    reachable: QuerySet[Mailing] = policy.instances_user_has_any_permission_for(user, LOOK)
    needs_somebody = When(state__in=(MailingState.INTERRUPTED, MailingState.DONE), then=Value(0))
    urgency = Case(needs_somebody, default=Value(1))
    in_doubt = Delivery.objects.filter(state=DeliveryState.IN_DOUBT).values("run__mailing")
    undecided = Q(state=MailingState.DONE, pk__in=in_doubt)
    shown = reachable.filter(Q(state__in=UNDER_WAY) | undecided).select_related("campaign")
    return shown.order_by(urgency, "-pk")


def add_panel(request: HttpRequest, panels: list[Any]) -> None:
    """For the hook ``construct_homepage_panels``."""
    panels.append(MailingsPanel())
