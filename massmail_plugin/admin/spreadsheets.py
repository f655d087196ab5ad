"""CSV that may be opened in a spreadsheet program without harm, and that needs no memory."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

# A cell that starts with one of these is run as a formula (OWASP, "CSV Injection"). Names and addresses come
# from strangers.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """A file that hands back each line instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def safe_cell(value: Any) -> str:
    """Return ``value`` as text that no spreadsheet program takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


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
