"""The rows of a CSV file, in flat memory."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from django.utils.translation import gettext as _

from massmail_plugin.audience.importing.faults import MOST_COLUMNS, FileFault

#: Characters. Longer is no line of a table, and would need the memory.
_LONGEST_LINE = 1_000_000
#: What Excel puts in the first line to name the separator.
_SEP_LINE = re.compile(r'"?sep=."?\s*', re.IGNORECASE)

Row = tuple[int, list[str]]


def csv_rows(stream: BinaryIO, encoding: str, delimiter: str) -> Iterator[Row]:
    """Yield (number of its first line, cells) for each row with anything in it. Raises :class:`FileFault`."""
    lines = _Lines(stream, encoding)
    # Strict, so that a quotation mark that is never closed does not swallow the rows that follow.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FileFault(_quotes(number)) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells) and not (number == 1 and _is_sep_line(cells, delimiter)):
            yield number, _as_wide_as_a_table(number, cells)
        number = reader.line_num + 1


def _is_sep_line(cells: list[str], delimiter: str) -> bool:
    return bool(_SEP_LINE.fullmatch(delimiter.join(cells)))


def _as_wide_as_a_table(line: int, cells: list[str]) -> list[str]:
    """Return the cells; without the empty ones that some programs write to the end of their sheet."""
    if any(cell.strip() for cell in cells[MOST_COLUMNS:]):
        raise FileFault(
            _(
                "The row that begins in line %(line)d has more than %(most)d columns. Delete those that are not "
                "needed, or choose another separator."
            )
            % {"line": line, "most": MOST_COLUMNS}
        )
    return cells[:MOST_COLUMNS]


def _quotes(line: int) -> str:
    return _(
        "The row that begins in line %(line)d cannot be read: a quotation mark is opened and not closed, or something "
        "follows a closing one, or a cell has more than 131,072 characters. Correct it in the file, or choose another "
        "separator."
    ) % {"line": line}


class _Lines:
    """The lines of a text, none of them longer than memory."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding=encoding, newline="")
        self._number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(_LONGEST_LINE)
        except UnicodeError as error:
            raise FileFault(
                _("Near line %(line)d there are characters that do not fit the encoding. Choose another one.")
                % {"line": self._number + 1}
            ) from error
        self._number += 1
        if not line:
            raise StopIteration
        if len(line) == _LONGEST_LINE:
            raise FileFault(
                _("Line %(line)d has a million characters or more. Is this a table? Save it again as CSV.")
                % {"line": self._number}
            )
        return line.removeprefix("\ufeff") if self._number == 1 else line
