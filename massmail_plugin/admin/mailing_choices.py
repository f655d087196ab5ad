"""Choosing among all mailings there ever were: a box with the newest, and a search that asks for the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.forms.models import ModelChoiceIterator
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy
from django.views.generic import View
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, PolicyOf, reachable
from massmail_plugin.admin.screens import signed_in
from massmail_plugin.audience.choices import ManyField, SearchableCheckboxes
from massmail_plugin.mailings.models import Mailing

#: How many mailings are shown at once, and how many of a search are.
_NEWEST, _FOUND = 100, 50


class MailingCheckboxes(SearchableCheckboxes):
    """The newest mailings and those that are ticked; the search field finds all others."""

    find_url = reverse_lazy(f"{names.CAMPAIGNS}:find_mailings")

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> Any:
        everything = self.choices
        if isinstance(everything, ModelChoiceIterator):
            self.choices = _shown(everything, value)
        try:
            return super().optgroups(name, value, attrs)
        finally:
            self.choices = everything


def _shown(everything: ModelChoiceIterator[Any], ticked: Sequence[str]) -> list[tuple[Any, str]]:
    offered: Any = everything.queryset
    newest = offered.order_by("-pk")
    # Not as a subquery: MariaDB knows none with a limit.
    numbers = set(newest.values_list("pk", flat=True)[:_NEWEST])
    numbers.update(int(each) for each in map(str, ticked) if each.isdecimal() and len(each) < 19)
    return [everything.choice(mailing) for mailing in newest.filter(pk__in=numbers)]


class MailingsField(ManyField):
    """Any number of mailings, also old ones."""

    model = Mailing
    widget = MailingCheckboxes
    nothing_to_choose = gettext_lazy("There is no mailing yet.")

    def offer(self, user: Any, chosen: Iterable[Any] = ()) -> None:
        """Let ``user`` choose among all mailings they may look at, and those that are chosen already."""
        seen = reachable(user, Mailing) if user is not None else Mailing.objects.none()
        self.queryset = Mailing.objects.filter(
            Q(pk__in=seen.values("pk")) | Q(pk__in=[each.pk for each in chosen])
        ).select_related("campaign")

    def label_from_instance(self, mailing: Any) -> str:
        return f"{mailing.name} ({mailing.campaign})"


class FindMailings(PolicyOf, PermissionCheckedMixin, View):
    """The checkboxes of mailings whose name or campaign has all words of ``?q=``, the newest first."""

    permission_model = Mailing
    any_permission_required: Sequence[str] = LOOK

    def get(self, request: HttpRequest) -> HttpResponse:
        field = MailingsField(label="")
        field.offer(signed_in(request))
        found = _named(field.queryset, request.GET.get("q", "").replace("\x00", "")[:200])
        mailings = [
            (mailing.pk, field.label_from_instance(mailing)) for mailing in found.order_by("-pk")[:_FOUND]
        ]
        html = render_to_string("massmail_plugin/admin/found_choices.html", {"choices": mailings}, request)
        return HttpResponse(html)


def _named(mailings: QuerySet[Mailing] | Any, text: str) -> QuerySet[Mailing]:
    for word in text.split():
        mailings = mailings.filter(Q(name__icontains=word) | Q(campaign__name__icontains=word))
    return mailings
