"""How many people are in a segment, also in one that is being made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.views.generic import View

from massmail_plugin import recipients
from massmail_plugin.admin.access import may
from massmail_plugin.admin.segments.form import SegmentForm
from massmail_plugin.audience.segments.criteria import UnusableSegment
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import people_of
from massmail_plugin.recipients.access import choosable_records, may_choose, sees_everybody


@dataclass(frozen=True, slots=True)
class Number:
    """How many people are in a segment; ``fault`` says why nobody knows."""

    people: int = 0
    #: Whether there are records that whoever looks may not see: then only the others are counted. Two numbers would
    #: tell what the hidden records hold to whoever tries one criterion after the other.
    is_narrowed: bool = False
    fault: str = ""


def number_of(segment: Segment, user: Any) -> Number:
    """Count who is in ``segment``, of those whom ``user`` may see."""
    try:
        people = people_of(segment)
    except UnusableSegment as unusable:
        return Number(fault=str(unusable))
    assert segment.type is not None
    if sees_everybody(user, segment.type):
        return Number(people.count())
    seen = choosable_records(user, segment.type).order_by().filter(pk__in=people.values("pk"))
    return Number(seen.count(), is_narrowed=True)


def number_in(form: SegmentForm) -> Number:
    """Count who fits what was typed in ``form``, whether or not it could be saved."""
    if form.is_bound and (faults := form.faults):
        return Number(fault=" ".join(faults))
    return number_of(form.instance, form.for_user)


class CountPeople(View):
    """Answers a form that is being filled in with the number that fits it, as a piece of HTML."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, type_key: str, pk: int | None = None) -> HttpResponse:
        recipient_type = recipients.get(type_key)
        if recipient_type is None:
            raise Http404
        saved = get_object_or_404(Segment, pk=pk, recipient_type=type_key) if pk else None
        allowed = may(request.user, "change" if saved else "add", Segment)
        if not allowed or not may_choose(request.user, recipient_type):
            raise PermissionDenied
        segment = saved or Segment(recipient_type=type_key)
        return TemplateResponse(
            request, "massmail_plugin/segments/count.html", {"number": self._number(segment)}
        )

    def _number(self, segment: Segment) -> Number:
        try:
            return number_in(SegmentForm(self.request.POST, instance=segment, for_user=self.request.user))
        except UnusableSegment as unusable:
            return Number(fault=str(unusable))
