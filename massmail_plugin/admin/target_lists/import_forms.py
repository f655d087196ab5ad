"""The forms of an import: the file, how it is read, and which of its columns is what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from massmail_plugin import conf
from massmail_plugin.audience.importing.columns import Columns, guess_columns, letter, seem_to_have_headings
from massmail_plugin.audience.importing.formats import DELIMITERS, ENCODINGS
from massmail_plugin.audience.importing.models import ListImport

Rows = Sequence[Sequence[str]]


class FileForm(forms.Form):
    """The file to be imported."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV or Excel (XLSX), with one person in each row."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        error_messages={"empty": gettext_lazy("The file is empty.")},
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        most = conf.get("IMPORT_MAX_MEGABYTES")
        if file.size > most * 1024**2:
            raise forms.ValidationError(
                _("The file is larger than %(most)d MB. Divide it, or delete columns that are not needed.")
                % {"most": most}
            )
        return file


class ReadingForm(forms.Form):
    """How the file is read."""

    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding"),
        choices=list(ENCODINGS.items()),
        help_text=gettext_lazy("Choose another one if letters look wrong below."),
    )
    delimiter = forms.ChoiceField(
        label=gettext_lazy("Columns are separated by"), choices=list(DELIMITERS.items())
    )
    sheet = forms.ChoiceField(label=gettext_lazy("Sheet"))
    has_headings = forms.BooleanField(label=gettext_lazy("The first row holds the headings"), required=False)

    def __init__(self, *args: Any, what: ListImport, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sheets: Any = self.fields["sheet"]
        sheets.choices = [(sheet, sheet) for sheet in what.samples]
        unneeded = ["sheet"] if what.kind == ListImport.Kind.CSV else ["encoding", "delimiter"]
        if len(what.samples) == 1:
            unneeded.append("sheet")
        for name in set(unneeded):
            del self.fields[name]


class ColumnsForm(forms.Form):
    """Which column is what. The columns are known by their letters: headings may be missing, or be there twice."""

    address = forms.TypedChoiceField(label=gettext_lazy("E-mail address"), coerce=int)
    name = forms.TypedChoiceField(
        label=gettext_lazy("Name, or first name"), coerce=int, empty_value=None, required=False
    )
    last_name = forms.TypedChoiceField(
        label=gettext_lazy("Last name"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=gettext_lazy("If it has a column of its own."),
    )
    language = forms.TypedChoiceField(
        label=gettext_lazy("Language"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=gettext_lazy("A code such as “en” or “pt-br”."),
    )

    def __init__(self, *args: Any, headings: Sequence[str], rows: Rows, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = rows
        #: How many columns the headings name; without headings, the widest row has.
        self.width = len(headings) if any(headings) else max([0, *(len(row) for row in rows)])
        width = max([len(headings), *(len(row) for row in rows)])
        self.headings = [heading.strip() for heading in headings] + [""] * (width - len(headings))
        named = [(str(n), self._label(n)) for n in range(width)]
        self._fields()["address"].choices = [("", _("Choose a column")), *named]
        for name in ("name", "last_name", "language"):
            self._fields()[name].choices = [("", _("None")), *named]

    def _fields(self) -> dict[str, Any]:
        return self.fields

    def _label(self, column: int) -> str:
        shown = self.headings[column] or next(
            (row[column] for row in self.rows if column < len(row) and row[column].strip()), ""
        )
        return f"{letter(column)}: {shown[:40]}" if shown else letter(column)

    def clean_address(self) -> int:
        column = int(self.cleaned_data["address"])
        with_addresses = {n for row in self.rows for n, cell in enumerate(row) if "@" in cell}
        if with_addresses and column not in with_addresses:
            raise forms.ValidationError(_("No row below has an e-mail address in this column."))
        return column

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = [column for column in cleaned.values() if column is not None]
        if len(chosen) != len(set(chosen)):
            raise forms.ValidationError(_("One column is chosen twice. Choose another one, or “None”."))
        return cleaned

    @property
    def columns(self) -> Columns:
        return Columns(**self.cleaned_data)


def first_guess(rows: Rows, *, has_headings: bool) -> dict[str, int]:
    """Return which columns are probably what."""
    headings, below = divided(rows, has_headings=has_headings)
    return guess_columns(headings, below)


def divided(rows: Rows, *, has_headings: bool) -> tuple[Sequence[str], Rows]:
    """Return (headings, the rows below); without headings, as many empty ones as the first row has cells."""
    if not rows:
        return [], []
    return (rows[0], rows[1:]) if has_headings else ([""] * len(rows[0]), rows)


def initial_reading(what: ListImport, rows: Rows) -> dict[str, Any]:
    """Return how the file is read as long as nobody says otherwise."""
    return {
        "encoding": what.encoding,
        "delimiter": what.delimiter,
        "sheet": what.sheet,
        "has_headings": seem_to_have_headings(rows),
    }
