"""What an XLSX file holds: its sheets, and which of its number formats are dates."""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass, field

from massmail_plugin.audience.importing.xlsx_xml import BrokenXml, Reader, attribute, read_to_end

WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_MOST_SHEETS = 1_000
#: Excel's own limit is 65,490.
_MOST_STYLES, _MOST_FORMATS = 66_000, 10_000


@dataclass(frozen=True, slots=True)
class Sheet:
    title: str
    is_visible: bool
    #: The part of the archive that holds its rows.
    part: str


@dataclass(slots=True)
class Book:
    sheets: list[Sheet] = field(default_factory=list)
    #: The part with the texts of all sheets; empty: there is none.
    texts: str = ""
    #: Days are counted from 1904 instead of 1900.
    since_1904: bool = False
    #: Styles of cells whose number is a date or a time, and those of them that are a length of time.
    dates: set[int] = field(default_factory=set)
    lengths: set[int] = field(default_factory=set)


def read_book(archive: zipfile.ZipFile) -> Book:
    """Read what the workbook says of itself. Raises :class:`BrokenXml` and what ``zipfile`` raises."""
    parts = set(archive.namelist())
    relations, workbook = _Relations(), _Workbook()
    for reader, part in ((relations, _RELATIONS), (workbook, WORKBOOK)):
        if part in parts:
            with archive.open(part) as stream:
                read_to_end(reader, stream)  # type: ignore[arg-type]
    book = Book(since_1904=workbook.since_1904, texts=relations.of_kind("sharedStrings", parts))
    for title, state, relation in workbook.sheets:
        kind, part = relations.found.get(relation, ("", ""))
        # Charts have sheets, too.
        if kind == "worksheet" and part in parts:
            book.sheets.append(Sheet(title, state in ("", "visible"), part))
    if styles := relations.of_kind("styles", parts):
        with archive.open(styles) as stream:
            read_to_end(_Styles(book), stream)  # type: ignore[arg-type]
    return book


class _Relations(Reader):
    """Which part of the archive is what to the workbook: (kind, part) by the id that it uses."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            if len(self.found) > 2 * _MOST_SHEETS:
                raise BrokenXml
            kind = attributes.get("Type", "").rpartition("/")[2]
            # From the root with a slash, or from the workbook's folder.
            part = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", ""))).lstrip("/")
            self.found[attributes.get("Id", "")] = (kind, part)

    def of_kind(self, wanted: str, parts: set[str]) -> str:
        return next((part for kind, part in self.found.values() if kind == wanted and part in parts), "")


class _Workbook(Reader):
    def __init__(self) -> None:
        super().__init__()
        self.since_1904 = False
        #: (title, state, id of its relation)
        self.sheets: list[tuple[str, str, str]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            if len(self.sheets) == _MOST_SHEETS:
                raise BrokenXml
            # "id" is the relation's, in a namespace of its own; the sheet's is "sheetId".
            found = (attributes.get("name", ""), attributes.get("state", ""), attribute(attributes, "id"))
            self.sheets.append(found)
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904", "") in ("1", "true")


class _Styles(Reader):
    def __init__(self, book: Book) -> None:
        super().__init__()
        self._book = book
        self._formats: dict[int, str] = {}
        self._is_in_cells = False
        self._number = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt" and len(self._formats) < _MOST_FORMATS:
            self._formats[int(attributes["numFmtId"])] = attributes.get("formatCode", "")[:255]
        elif name == "cellXfs":
            self._is_in_cells = True
        elif name == "xf" and self._is_in_cells:
            self._see(int(attributes.get("numFmtId") or 0))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self.is_done = True

    def _see(self, number_format: int) -> None:
        # Only here: it takes a fifth of a second to import.
        from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format

        code = self._formats.get(number_format, BUILTIN_FORMATS.get(number_format))
        if code and is_date_format(code):
            self._book.dates.add(self._number)
            if is_timedelta_format(code):
                self._book.lengths.add(self._number)
        self._number += 1
        if self._number == _MOST_STYLES:
            self.is_done = True
