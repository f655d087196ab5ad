"""The rows of one sheet, bit by bit. Rows without an end, and cells without one, are refused on the way."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import BinaryIO

from django.utils.translation import gettext as _

from massmail_plugin.audience.importing.faults import MOST_COLUMNS, FileFault
from massmail_plugin.audience.importing.xlsx_book import Book
from massmail_plugin.audience.importing.xlsx_texts import (
    LONGEST_TEXT,
    SharedTexts,
    TextReader,
    TooFar,
    TooLong,
    unescaped,
)

#: Excel's own limits; most of a row's cells may be empty, with nothing but a colour.
_MOST_ROWS, _MOST_CELLS = 1_048_576, 16_384
#: Characters, as in a line of a CSV file.
_LONGEST_ROW = 1_000_000
#: Characters of all rows: one long text may stand in a million cells.
_MOST_CHARACTERS = 1024**3
_PLACE = re.compile("([A-Z]{1,3})[0-9]+")

#: A cell as it stands in the file: its column from 0, its type, its style and its value.
_Cell = tuple[int, str, str, str]
Row = tuple[int, list[str]]


def sheet_rows(part: BinaryIO, book: Book, texts: SharedTexts) -> Iterator[Row]:
    """Yield (number, cells) for each row that has cells. Raises :class:`FileFault` and :class:`BrokenXml`."""
    reader = _Sheet()
    characters = 0
    chunks = reader.feed_all(part)
    while True:
        try:
            if next(chunks, 0) == 0:
                return
        except TooLong as error:
            raise _long_cell(reader.row) from error
        # Texts are looked up one row at a time: a chunk may name one long text thousands of times.
        for number, cells in reader.rows:
            found = _texts_of(number, cells, book, texts)
            characters += sum(map(len, found))
            if characters > _MOST_CHARACTERS:
                raise FileFault(
                    _("The sheet holds far more text than a list of people does. Save it as CSV.")
                )
            yield number, found
        reader.rows.clear()


class _Sheet(TextReader):
    """Collects the rows of a chunk."""

    def __init__(self) -> None:
        super().__init__()
        #: Complete rows.
        self.rows: list[tuple[int, list[_Cell]]] = []
        self.row = self._rows_seen = 0
        self._cells: list[_Cell] = []
        self._cells_seen = self._characters = self._column = 0
        self._type = self._style = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._begin_cell(attributes)
        elif name == "v":
            self._is_in_text = self._type != "inlineStr"
        elif name == "row":
            self._begin_row(attributes)
        else:
            super().start(name, attributes)

    def end(self, name: str) -> None:
        if name == "v":
            self._is_in_text = False
        elif name == "c":
            if text := self.whole_text():
                self._keep(text)
        elif name == "row":
            self.rows.append((self.row, self._cells))
            self._cells = []
        elif name == "sheetData":
            # What follows is not for people: merged cells, pictures, rules.
            self.is_done = True
        else:
            super().end(name)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        self._rows_seen += 1
        self.row = int(float(attributes.get("r") or self.row + 1))
        if max(self.row, self._rows_seen) > _MOST_ROWS:
            raise FileFault(_("The sheet has more rows than Excel allows. Save it again, or use CSV."))
        self._column, self._cells, self._cells_seen, self._characters = -1, [], 0, 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._cells_seen += 1
        if self._cells_seen > _MOST_CELLS:
            raise _many_columns(self.row)
        place = _PLACE.fullmatch(attributes.get("r", ""))
        self._column = _column(place[1]) if place else self._column + 1
        self._type, self._style = attributes.get("t", "n"), attributes.get("s", "")
        self.begin_text()

    def _keep(self, text: str) -> None:
        if self._column >= MOST_COLUMNS:
            raise _many_columns(self.row)
        self._characters += len(text)
        if self._characters > _LONGEST_ROW:
            raise _long_row(self.row)
        self._cells.append((self._column, self._type, self._style, text))


def _texts_of(number: int, cells: list[_Cell], book: Book, texts: SharedTexts) -> list[str]:
    found = [""] * (1 + max((cell[0] for cell in cells), default=-1))
    characters = 0
    for column, kind, style, value in cells:
        try:
            found[column] = _text(kind, style, value, book, texts)
        except TooLong as error:
            raise _long_cell(number) from error
        characters += len(found[column])
        if characters > _LONGEST_ROW:
            raise _long_row(number)
    return found


def _text(kind: str, style: str, value: str, book: Book, texts: SharedTexts) -> str:
    """Return what a cell shows, more or less; of a formula it is the result that was last saved."""
    if kind == "s":
        try:
            return texts[int(value)]
        except TooFar:
            return "…"
    if kind == "n":
        return _number(int(style or 0), value, book)
    if kind == "b":
        return str(value.strip() not in ("0", "false"))
    return unescaped(value)


def _number(style: int, value: str, book: Book) -> str:
    number = float(value)
    if not math.isfinite(number):
        return value
    if style in book.dates:
        return _moment(number, value, book, is_length=style in book.lengths)
    if value.strip().lstrip("-").isdigit():
        # Not by way of the float, which holds no more than 15 digits.
        return str(int(value))
    return str(int(number)) if number.is_integer() else str(number)


def _moment(number: float, value: str, book: Book, *, is_length: bool) -> str:
    # Only here: it takes a fifth of a second to import.
    from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

    try:
        moment = from_excel(number, MAC_EPOCH if book.since_1904 else WINDOWS_EPOCH, timedelta=is_length)
    except (OverflowError, ValueError):
        return value
    return moment.isoformat() if isinstance(moment, datetime | date | time) else str(moment)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _many_columns(row: int) -> FileFault:
    return FileFault(
        _("Row %(row)d has more than %(most)d columns. Delete those that are not needed.")
        % {"row": row, "most": MOST_COLUMNS}
    )


def _long_row(row: int) -> FileFault:
    return FileFault(
        _("Row %(row)d has more than a million characters. Delete the columns that are not needed.")
        % {"row": row}
    )


def _long_cell(row: int) -> FileFault:
    return FileFault(
        _("Row %(row)d has a cell with more than %(most)d characters. Delete or shorten it.")
        % {"row": row, "most": LONGEST_TEXT}
    )
