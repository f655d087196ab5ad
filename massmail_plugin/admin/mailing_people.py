"""Everybody in the lists of a draft: who will get it, who will not, and why. Once it is sent the log says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django_filters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, PolicyOf
from massmail_plugin.admin.exporting import Exported, Spreadsheet
from massmail_plugin.admin.paging import KnownCount
from massmail_plugin.admin.screens import Listing
from massmail_plugin.admin.target_lists.columns import PersonColumn
from massmail_plugin.audience.audiences import Audience, Candidate
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.people import forget_people
from massmail_plugin.mailings.preflight import Preflight, check
from massmail_plugin.mailings.states import MailingState

_CHUNK = 1000
#: The filter's value for those who get the mail; the empty value means everybody.
GETS_IT = "gets_it"


class PeopleFilterSet(WagtailFilterSet):
    reason = django_filters.ChoiceFilter(label=_("Gets it"), empty_label=_("Everybody"), method="by_reason")
    source = django_filters.ChoiceFilter(label=_("Through"), empty_label=_("Any"))

    class Meta:
        model = Candidate
        fields: list[str] = []

    def __init__(self, *args: Any, audience: Audience | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        counts = audience.counts if audience else {}
        self.filters["reason"].extra["choices"] = [
            (reason or GETS_IT, _choice(reason, number)) for reason, number in sorted(counts.items())
        ]
        self.filters["source"].extra["choices"] = audience.sources if audience else []

    def by_reason(self, people: QuerySet[Candidate], name: str, value: str) -> QuerySet[Candidate]:
        return people.filter(reason="" if value == GETS_IT else value)


def _choice(reason: str, number: int) -> str:
    return f"{capfirst(verdict(reason))} ({number})"


def verdict(reason: str) -> str:
    """Return in a few words whether somebody gets the mail."""
    return gettext("no: %(reason)s") % {"reason": Reason(reason).label} if reason else gettext("yes")


class CountedAgain(Exception):
    """The people were counted again by somebody else while they were being downloaded."""


class MailingPeople(Exported, PolicyOf, Listing):
    """Searched by name and address, filtered by verdict and by list, exported as it is filtered."""

    permission_model = Mailing
    model = Candidate
    any_permission_required = LOOK
    results_template_name = "massmail_plugin/admin/mailing_people_results.html"
    search_fields = ["name", "email"]
    filterset_class = PeopleFilterSet
    paginate_by = 50
    paginator_class = KnownCount
    columns = [
        PersonColumn(
            "name",
            label=_("Name"),
            accessor=lambda candidate: candidate.name or _("(no name)"),
            get_email=lambda candidate: candidate.email,
        ),
        Column("gets_it", label=_("Gets it")),
        Column("through", label=_("Through")),
    ]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.mailing = get_object_or_404(Mailing.objects.select_related("campaign", "owner"), pk=kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        may_look = self.permission_policy.user_has_any_permission_for_instance(
            request.user, LOOK, self.mailing
        )
        if not may_look:
            raise PermissionDenied
        if self.mailing.state != MailingState.DRAFT:
            return redirect(names.delivery_log(self.mailing.campaign_id, mailing=self.mailing.pk))
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Count them again."""
        forget_people(self.mailing)
        page = "send" if request.POST.get("back") == "send" else "people"
        return redirect(reverse(f"{names.MAILINGS}:{page}", args=(self.mailing.pk,)))

    @cached_property
    def check(self) -> Preflight:
        """What stands in the way; to ask it works the audience out."""
        result = check(self.mailing, at_a_glance=True)
        if result.counted and not Audience.objects.filter(pk=result.counted.pk).exists():
            # A colleague has them counted again at this moment.
            result.counted, result.counting = None, gettext("The people are being counted again.")
        return result

    @cached_property
    def audience(self) -> Audience | None:
        """The very one that was looked at: a colleague's look may have put another in its place, not judged yet."""
        return self.check.counted

    @property
    def empty_text(self) -> Any:
        if self.check.counting or self.check.uncountable:
            return _("Everybody is listed here once they are counted.")
        return _(
            "Nobody is in the lists and segments of the campaign yet. Choose some in its form, or add people to its "
            "lists."
        )

    def get_page_title(self) -> str:
        return gettext("Who gets “%(mailing)s”") % {"mailing": self.mailing}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{names.MAILINGS}:index"), "label": gettext("Mailings")},
            {"url": names.own_page(names.MAILINGS, self.mailing.pk), "label": str(self.mailing)},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_index_url(self) -> str:
        return reverse(f"{names.MAILINGS}:people", args=(self.mailing.pk,))

    def get_index_results_url(self) -> str:
        return reverse(f"{names.MAILINGS}:people_results", args=(self.mailing.pk,))

    def get_filterset_kwargs(self) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(), "audience": self.audience}

    def get_base_queryset(self) -> QuerySet[Candidate]:
        if self.audience is None:
            return Candidate.objects.none()
        return self.audience.candidates.filter(excluded=False).order_by("pk")

    def order_queryset(self, queryset: QuerySet[Candidate]) -> QuerySet[Candidate]:
        return queryset

    def get_paginator(self, *args: Any, **kwargs: Any) -> KnownCount:
        return super().get_paginator(*args, **kwargs, known=self._known_count())

    def _known_count(self) -> int | None:
        """Return how many there are where the audience has counted them; None where that must be asked."""
        data = self.filters.form.cleaned_data if self.filters.is_valid() else {}
        if self.audience is None or self.is_searching or data.get("source"):
            return None
        if reason := data.get("reason"):
            return self.audience.counts.get("" if reason == GETS_IT else reason, 0)
        return sum(self.audience.counts.values())

    def get_table(self, object_list: Any) -> Any:
        people = list(object_list)
        for candidate in people:
            self._tell(candidate)
            if not candidate.name and not candidate.email:
                candidate.name = "–"
        return super().get_table(people)

    def _tell(self, candidate: Any) -> None:
        candidate.gets_it = verdict(candidate.reason)
        if candidate.detail:
            candidate.gets_it += f" ({candidate.detail})"
        candidate.through = self.audience.source_titles.get(candidate.source, "") if self.audience else ""

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        return self.export_buttons() if self.audience else []

    def spreadsheet(self) -> Spreadsheet:
        headings = [gettext("Name"), gettext("Address"), gettext("Gets it"), gettext("Through")]
        return f"mailing-{self.mailing.pk}-people", headings, self._rows()

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if self.export_format and self.audience is None:
            messages.warning(
                self.request, gettext("Nobody has been counted yet, so there is nothing to download.")
            )
            return redirect(self.get_index_url())
        response = super().render_to_response(context, **kwargs)
        if self.check.is_counting:
            response["Refresh"] = "5"
        return response

    def _rows(self) -> Iterator[list[Any]]:
        number = 0
        for candidate in self.object_list.iterator(chunk_size=_CHUNK):
            number += 1
            self._tell(candidate)
            yield [candidate.name, candidate.email, candidate.gets_it, candidate.through]
        if number < (self._known_count() or 0):
            # Better a download that breaks off than one that looks whole.
            raise CountedAgain

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "check": self.check, **self._numbers()}

    def _numbers(self) -> dict[str, Any]:
        """Return how many there are, how many get it, and for each reason how many do not, with where they are."""
        counts = dict(self.audience.counts) if self.audience else {}
        get_it, everybody = counts.pop("", 0), sum(counts.values())
        reasons = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        return {
            "everybody": get_it + everybody,
            "get_it": get_it,
            "reasons": [
                (capfirst(Reason(reason).label), number, f"{self.get_index_url()}?reason={reason}")
                for reason, number in reasons
            ],
        }
