"""Importing a file into a list: upload it, say which column is which, follow it to its end."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView

from massmail_plugin.admin.target_lists.import_forms import (
    ColumnsForm,
    FileForm,
    ReadingForm,
    Rows,
    divided,
    first_guess,
    initial_reading,
)
from massmail_plugin.admin.target_lists.screens import OfTargetList, url_to
from massmail_plugin.audience.importing.actions import sample, start, upload
from massmail_plugin.audience.importing.columns import repeated
from massmail_plugin.audience.importing.faults import FileFault
from massmail_plugin.audience.importing.models import ListImport
from massmail_plugin.delivery.running.nudges import nudge_import


class UploadFile(OfTargetList, FormView):
    """The first step; below it what was imported into this list before."""

    changes_list = True
    form_class = FileForm
    template_name = "massmail_plugin/target_lists/import_upload.html"
    _SHOWN = 10

    def get_page_title(self) -> str:
        return _("Import a file")

    def form_valid(self, form: FileForm) -> HttpResponse:
        file = form.cleaned_data["file"]
        try:
            uploaded = upload(self.target_list, file.name or _("File"), file.chunks(), self.request.user)
        except FileFault as fault:
            form.add_error("file", str(fault))
            return self.form_invalid(form)
        return redirect(url_to("import_columns", self.target_list.pk, uploaded.pk))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        earlier = self.target_list.imports.select_related("started_by")[: self._SHOWN]
        return super().get_context_data(earlier=earlier, **kwargs)


class OfImport(OfTargetList):
    """A view of one import, whose number is in the URL. It shows people's data: for those who may change the list."""

    changes_list = True
    list_import: ListImport

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.list_import = get_object_or_404(self.target_list.imports, pk=kwargs["pk"])

    def get_page_title(self) -> str:
        what = self.list_import
        if not what.is_from_list:
            return _("Import “%(file)s”") % {"file": what.file_name}
        title = _("Move from “%(list)s”") if what.moving else _("Copy from “%(list)s”")
        return title % {"list": what.file_name}

    @property
    def page_url(self) -> str:
        return url_to("import_page", self.target_list.pk, self.list_import.pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(list_import=self.list_import, **kwargs)


class ChooseColumns(OfImport, TemplateView):
    """The second step: the first rows, and which column is which. "Show again" reads the file anew."""

    template_name = "massmail_plugin/target_lists/import_columns.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.list_import.state != ListImport.State.UPLOADED:
            return redirect(self.page_url)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        initial = initial_reading(self.list_import, [])
        rows, fault = self._sample(initial)
        initial["has_headings"] = initial_reading(self.list_import, rows)["has_headings"]
        reading = ReadingForm(what=self.list_import, initial=initial)
        return self._show(reading, rows, fault, has_headings=initial["has_headings"])

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        reading = ReadingForm(request.POST, what=self.list_import)
        if not reading.is_valid():
            return self._show(reading, [], "", has_headings=False)
        how = {**initial_reading(self.list_import, []), **reading.cleaned_data}
        has_headings = how.pop("has_headings")
        rows, fault = self._sample(how)
        if fault or "again" in request.POST:
            return self._show(reading, rows, fault, has_headings=has_headings)
        headings, below = divided(rows, has_headings=has_headings)
        columns = ColumnsForm(request.POST, headings=headings, rows=below)
        if not columns.is_valid():
            return self._show(reading, rows, "", has_headings=has_headings, columns=columns)
        self._start(columns, how, has_headings=has_headings)
        return redirect(self.page_url)

    def _start(self, columns: ColumnsForm, how: dict[str, Any], *, has_headings: bool) -> None:
        chosen = columns.columns
        # Rows that are wider than the headings have an unquoted separator, unless such a column was chosen.
        width = max(
            columns.width, *(column + 1 for column in chosen.as_json().values() if column is not None)
        )
        begun = start(
            self.list_import,
            chosen,
            columns.headings[:width],
            has_headings=has_headings,
            user=self.request.user,
            **how,
        )
        if begun:
            nudge_import(self.list_import.pk)

    def _sample(self, how: dict[str, Any]) -> tuple[Rows, str]:
        try:
            return sample(self.list_import, how["encoding"], how["delimiter"], how["sheet"]), ""
        except FileFault as fault:
            return [], str(fault)

    def _show(
        self,
        reading: ReadingForm,
        rows: Rows,
        fault: str,
        *,
        has_headings: bool,
        columns: ColumnsForm | None = None,
    ) -> HttpResponse:
        headings, below = divided(rows, has_headings=has_headings)
        if columns is None and rows:
            guess = first_guess(rows, has_headings=has_headings)
            columns = ColumnsForm(headings=headings, rows=below, initial=guess)
        return self.render_to_response(
            self.get_context_data(
                reading=reading,
                columns=columns,
                fault=fault,
                table=_table(columns, below) if columns else None,
                repeated=repeated(headings),
            )
        )


def _table(columns: ColumnsForm, rows: Rows) -> dict[str, Any]:
    """Return the first rows with a cell for every column."""
    heads = [label for _value, label in columns.fields["address"].choices][1:]  # type: ignore[attr-defined]
    return {"heads": heads, "rows": [[*row, *[""] * (len(heads) - len(row))] for row in rows]}
