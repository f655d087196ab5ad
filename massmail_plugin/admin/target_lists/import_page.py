"""How far an import has come, what became of its rows, and the rows that failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View
from django.views.generic import TemplateView
from wagtail.admin import messages

from massmail_plugin import recipients
from massmail_plugin.admin.spreadsheets import FORMATS
from massmail_plugin.admin.target_lists.import_views import OfImport
from massmail_plugin.admin.target_lists.rows import STATUSES
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.audience.importing.actions import stop
from massmail_plugin.audience.importing.columns import letter
from massmail_plugin.audience.importing.models import ListImport
from massmail_plugin.delivery.running import heartbeats

State = ListImport.State

_SHOWN_FAILURES = 20
_LOOK_AGAIN_SECONDS = 2
_STATE_CLASSES = {
    State.READING: "w-status--primary",
    State.IMPORTING: "w-status--primary",
    State.DONE: "massmail-status--positive",
    State.FAILED: "massmail-status--critical",
}


class ImportPage(OfImport, TemplateView):
    """Follows an import to its end without being loaded again."""

    template_name = "massmail_plugin/target_lists/import_page.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.list_import.state == State.UPLOADED:
            return redirect(url_to("import_columns", self.target_list.pk, self.list_import.pk))
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        what, where = self.list_import, (self.target_list.pk, self.list_import.pk)
        return super().get_context_data(
            **what_became(what),
            next_seconds=_LOOK_AGAIN_SECONDS if what.is_running else 0,
            announced_percent=what.percent // 10 * 10,
            state_class=_STATE_CLASSES.get(State(what.state), ""),
            nobody_works=what.is_running and heartbeats.is_silent(),
            progress_url=url_to("import_progress", *where),
            stop_url=url_to("import_stop", *where),
            downloads=[(label, url_to("import_failed", *where, key)) for key, (label, _s) in FORMATS.items()],
            **kwargs,
        )


class ImportProgress(ImportPage):
    """The parts of the page that change."""

    template_name = "massmail_plugin/target_lists/import_parts.html"


class StopImport(OfImport, View):
    """Ends an import that is under way. Who is in the list by now stays."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if stop(self.list_import):
            messages.success(request, _("Stopped. Whoever has been added so far stays in the list."))
        else:
            messages.error(request, _("It had ended already."))
        return redirect(self.page_url)


class FailedRows(OfImport, View):
    """The rows that failed, as they were in the file, with the reason: to be corrected and imported again."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if kwargs["format"] not in FORMATS:
            raise Http404
        _label, download = FORMATS[kwargs["format"]]
        headings = [heading or letter(n) for n, heading in enumerate(self.list_import.headings)]
        where = _("Line") if self.list_import.kind == ListImport.Kind.CSV else _("Row")
        return download(
            f"import-{self.list_import.pk}-failed", [where, _("Why it failed"), *headings], self._rows()
        )

    def _rows(self) -> Iterator[list[Any]]:
        failures = self.list_import.failures.order_by("number", "pk")
        for failure in failures.iterator(chunk_size=1000):
            yield [failure.number, failure.sentence, *failure.cells]


def what_became(what: ListImport) -> dict[str, Any]:
    """Return the result in words, and the first rows that failed."""
    failures = list(what.failures.order_by("number", "pk")[:_SHOWN_FAILURES]) if what.failed else []
    return {
        "found": [(_type_label(key, number), number) for key, number in sorted(what.found.items())],
        "not_mailable": [
            (STATUSES.get(reason, reason), number) for reason, number in what.not_mailable.items()
        ],
        "failures": failures,
        "failures_forgotten": bool(what.failed and not failures),
        "new_subscribers": ngettext(
            "%(number)d of the subscribers is new.",
            "%(number)d of the subscribers are new.",
            what.new_subscribers,
        )
        % {"number": what.new_subscribers}
        if what.new_subscribers
        else "",
    }


def _type_label(key: str, number: int) -> str:
    recipient_type = recipients.get(key)
    if recipient_type is None:
        return key
    return recipient_type.label if number == 1 else recipient_type.label_plural
