"""CSV and XLSX that may be opened in a spreadsheet program without harm, and that need no memory."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# A cell that starts so is run as a formula (OWASP, "CSV Injection"), by some programs also in full width and after
# blanks and what nobody sees. Names and addresses come from strangers.
_FORMULA_START = re.compile(
    r"[\t\r\n]|[\s\x00-\x1f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
)
#: Excel's own limits: rows of a sheet with the headings, characters of a cell.
_SHEET_ROWS, _CELL_CHARACTERS = 1_048_576, 32_767


class _Line:
    """A file that hands back each line instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def safe_cell(value: Any) -> str:
    """Return ``value`` as text that no spreadsheet program takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA_START.match(text) else text


def stream_csv(
    filename: str, headings: Sequence[Any], rows: Iterable[Sequence[Any]]
) -> StreamingHttpResponse:
    """Return a download of ``rows``, written while they are read."""
    response = StreamingHttpResponse(_lines(headings, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _lines(headings: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    # Without the mark Excel reads UTF-8 as the local code page.
    yield "\ufeff" + writer.writerow([safe_cell(heading) for heading in headings])
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row])


def send_xlsx(filename: str, headings: Sequence[Any], rows: Iterable[Sequence[Any]]) -> FileResponse:
    """Return a download of ``rows`` as a workbook. It is made on the disk first: its end stands at its beginning.

    More rows than a sheet may have go on in further sheets.
    """
    # Only here: it takes a fifth of a second to import.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    workbook = Workbook(write_only=True)
    sheet: Any = None

    def cells(values: Sequence[Any]) -> Iterator[Any]:
        for value in values:
            if isinstance(value, int):
                yield value
                continue
            text = ILLEGAL_CHARACTERS_RE.sub("", "" if value is None else str(value))[:_CELL_CHARACTERS]
            cell = WriteOnlyCell(sheet, value=text)
            # Text, whatever it begins with: never a formula.
            cell.data_type = "s"
            yield cell

    for number, row in enumerate(rows):
        if number % (_SHEET_ROWS - 1) == 0:
            sheet = workbook.create_sheet(_("Page %(number)d") % {"number": len(workbook.worksheets) + 1})
            sheet.append(cells(headings))
        sheet.append(cells(row))
    if sheet is None:
        sheet = workbook.create_sheet(_("Page %(number)d") % {"number": 1})
        sheet.append(cells(headings))
    # Closed, and so deleted, by the response.
    file = tempfile.TemporaryFile()  # noqa: SIM115
    workbook.save(file)
    file.seek(0)
    response = FileResponse(file, as_attachment=True, filename=f"{filename}.xlsx")
    response["Cache-Control"] = "no-store"
    return response


#: What downloads are offered as: the key in addresses, its label, and who makes it.
FORMATS: dict[str, tuple[Any, Callable[[str, Sequence[Any], Iterable[Sequence[Any]]], HttpResponseBase]]] = {
    "csv": (gettext_lazy("Download CSV"), stream_csv),
    "xlsx": (gettext_lazy("Download Excel"), send_xlsx),
}
