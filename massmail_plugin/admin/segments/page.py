"""A segment's own page: its criteria, who is in it now, and what uses it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.admin_url_finder import AdminURLFinder
from wagtail.admin.paginator import WagtailPaginator

from massmail_plugin.admin import names
from massmail_plugin.admin.screens import OwnPage
from massmail_plugin.admin.segments.counting import number_of
from massmail_plugin.admin.segments.uses import uses_of
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import people_of, sentences_of
from massmail_plugin.recipients.access import choosable_records, may_choose

_PER_PAGE = 50


class SegmentPage(OwnPage):
    template_name = "massmail_plugin/segments/page.html"

    @cached_property
    def may_see_people(self) -> bool:
        segment: Segment = self.object
        return bool(segment.type and may_choose(self.request.user, segment.type))

    def get_edit_url(self) -> str | None:
        return super().get_edit_url() if self.may_see_people else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        segment: Segment = self.object
        number = number_of(segment, self.request.user)
        return {
            **super().get_context_data(**kwargs),
            "segment": segment,
            "number": number,
            "sentences": [] if number.fault else sentences_of(segment),
            "may_see_people": self.may_see_people,
            "people": None if number.fault else self._people(segment, number.people),
            "page_url": self.request.path,
            # Below, beside the people: on a phone the header has room for the name and one button.
            "copy_url": reverse(f"{names.SEGMENTS}:copy_people", args=(segment.pk,)),
            "uses": uses_of(segment, self.request.user),
        }

    def _people(self, segment: Segment, number: int) -> Any:
        """Return a page of those whom the user may see, with name, address and where they are edited."""
        assert segment.type is not None
        seen = choosable_records(self.request.user, segment.type).filter(
            pk__in=people_of(segment).values("pk")
        )
        pks = seen.order_by("pk").values_list("pk", flat=True)
        paginator = WagtailPaginator(pks, _PER_PAGE)
        # It is known already.
        paginator.count = number
        page = paginator.get_page(self.request.GET.get("p"))
        records = segment.type.load(map(str, page.object_list))
        url_of = AdminURLFinder(self.request.user).get_edit_url
        page.object_list = [
            {
                "name": segment.type.display_name(record) or _("(no name)"),
                "email": segment.type.record_email(record),
                "url": url_of(record),
            }
            for pk in page.object_list
            if (record := records.get(str(pk)))
        ]
        return page
