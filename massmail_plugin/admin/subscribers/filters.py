"""How the listing of subscribers can be narrowed."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet

from massmail_plugin import recipients
from massmail_plugin.admin.standings import MAILABLE, STANDINGS
from massmail_plugin.admin.target_lists.permissions import lists_to_look_at
from massmail_plugin.audience.members import member_pks
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, Subscriber

_SIGNED_UP = {"confirmed": _("confirmed"), "none": _("did not sign up")}


class SubscriberFilterSet(WagtailFilterSet):
    # Who was erased is no subscriber any more.
    standing = django_filters.ChoiceFilter(
        label=_("Status"),
        choices=[(key, label) for key, (label, _condition) in STANDINGS.items() if key != "erased"],
        method="by_standing",
    )
    signed_up = django_filters.ChoiceFilter(
        label=_("Sign-up"), choices=list(_SIGNED_UP.items()), method="by_sign_up"
    )
    target_list = django_filters.ModelChoiceFilter(
        label=_("Target list"), queryset=lambda request: _lists(request), method="by_list"
    )

    class Meta:
        model = Subscriber
        fields: list[str] = []

    def by_standing(self, subscribers: QuerySet[Subscriber], name: str, value: str) -> QuerySet[Subscriber]:
        condition = STANDINGS[value][1]
        if value == MAILABLE:
            # Of most of them nobody has ever said anything, so that they have no address of their own.
            return subscribers.exclude(key__in=EmailAddress.objects.exclude(condition).values("key"))
        return subscribers.filter(key__in=EmailAddress.objects.filter(condition).values("key"))

    def by_sign_up(self, subscribers: QuerySet[Subscriber], name: str, value: str) -> QuerySet[Subscriber]:
        confirmed = ConsentEvent.objects.filter(
            kind=ConsentEvent.Kind.OPT_IN, method=ConsentEvent.Method.SIGN_UP
        )
        condition = Q(key__in=confirmed.values("address__key"))
        return subscribers.filter(condition if value == "confirmed" else ~condition)

    def by_list(
        self, subscribers: QuerySet[Subscriber], name: str, value: TargetListPage
    ) -> QuerySet[Subscriber]:
        recipient_type = recipients.for_model(Subscriber)
        assert recipient_type is not None
        return subscribers.filter(pk__in=member_pks(value, recipient_type))


def _lists(request: Any) -> QuerySet[TargetListPage]:
    return lists_to_look_at(request.user if request else None).order_by("title", "pk")
