"""The people of a list as a spreadsheet, narrowed like the screen that they are downloaded from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import slugify
from django.utils.translation import gettext as _
from wagtail.admin.widgets.button import Button

from massmail_plugin.admin.spreadsheets import FORMATS
from massmail_plugin.admin.target_lists.rows import member_rows
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.audience.standing import Standing, standing_of_members

_CHUNK = 500


class ExportedMembers:
    """Mixed into the members screen: ``?export=csv`` or ``xlsx`` answers with everybody whom it shows."""

    @cached_property
    def export_format(self) -> str:
        view: Any = self
        wanted = view.request.GET.get("export", "")
        return wanted if wanted in FORMATS else ""

    def export_buttons(self) -> list[Button]:
        """Return buttons that keep the screen's filters and search."""
        view: Any = self
        query = view.request.GET.copy()
        for name in ("p", "_w_filter_fragment"):
            query.pop(name, None)
        buttons = []
        for priority, (key, (label, _send)) in enumerate(FORMATS.items(), start=100):
            query["export"] = key
            url = f"{view.get_index_url()}?{query.urlencode()}"
            buttons.append(Button(label, url=url, icon_name="download", priority=priority))
        return buttons

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # An export needs nothing of the page that it does not show.
        return {} if self.export_format else super().get_context_data(**kwargs)  # type: ignore[misc]

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if not self.export_format:
            return super().render_to_response(context, **kwargs)  # type: ignore[misc]
        view: Any = self
        _label, send = FORMATS[self.export_format]
        name = slugify(view.target_list.title) or f"list-{view.target_list.pk}"
        headings = [_("Name"), _("E-mail address"), _("Type"), _("Status"), _("Details"), _("Added")]
        return send(name, headings, self._rows(view.object_list, view.standing))  # type: ignore[return-value]

    def _rows(self, members: QuerySet[TargetListMember], standing: Standing | None) -> Iterator[list[Any]]:
        view: Any = self
        # In the order of their numbers: pages of a sorted listing would be read again and again.
        rest = members.order_by("pk").iterator(chunk_size=_CHUNK)
        while chunk := list(islice(rest, _CHUNK)):
            known = standing or standing_of_members(view.target_list, chunk)
            added = {member.pk: member.added_at for member in chunk}
            for row in member_rows(chunk, known, view.request.user):
                moment = date_format(timezone.localtime(added[row.pk]), "Y-m-d H:i")
                yield [row.name, row.email, row.type_label, row.status, row.detail, moment]
