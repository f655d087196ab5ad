"""Listings that can be downloaded as a spreadsheet, narrowed like the screen that they are downloaded from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse, QueryDict
from django.utils.functional import cached_property
from wagtail.admin.widgets.button import Button

from massmail_plugin.admin.spreadsheets import FORMATS

#: Name of the file without its ending, headings, rows.
Spreadsheet = tuple[str, Sequence[Any], Iterable[Sequence[Any]]]


class Exported:
    """Mixed into a listing: ``?export=csv`` or ``xlsx`` answers with everything that it shows, as ``spreadsheet()``."""

    def spreadsheet(self) -> Spreadsheet:
        """Return what the download holds; rows are read while they are written."""
        raise NotImplementedError

    @cached_property
    def export_format(self) -> str:
        view: Any = self
        wanted = view.request.GET.get("export", "")
        return wanted if wanted in FORMATS else ""

    def export_buttons(self) -> list[Button]:
        """Return buttons that keep the screen's filters and search."""
        view: Any = self
        query = self.query_shown()
        buttons = []
        for priority, (key, (label, _send)) in enumerate(FORMATS.items(), start=100):
            query["export"] = key
            url = f"{view.get_index_url()}?{query.urlencode()}"
            buttons.append(Button(label, url=url, icon_name="download", priority=priority))
        return buttons

    def query_shown(self) -> QueryDict:
        """Return how the screen is filtered and searched, on whichever of its pages."""
        view: Any = self
        query: QueryDict = view.request.GET.copy()
        for name in ("p", "_w_filter_fragment"):
            query.pop(name, None)
        return query

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # An export needs nothing of the page that it does not show.
        return {} if self.export_format else super().get_context_data(**kwargs)  # type: ignore[misc]

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if not self.export_format:
            return super().render_to_response(context, **kwargs)  # type: ignore[misc]
        _label, send = FORMATS[self.export_format]
        return send(*self.spreadsheet())  # type: ignore[return-value]
