"""What kind of file somebody has uploaded, by what is in it; its name may say anything."""

from __future__ import annotations

import codecs
import csv
from collections import Counter

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from massmail_plugin.audience.importing.faults import FileFault
from massmail_plugin.audience.importing.models import ListImport

#: Bytes of a file's beginning that everything is guessed from.
HEAD_BYTES = 64 * 1024
#: What people may choose, by Python's names.
ENCODINGS = {
    "utf-8-sig": gettext_lazy("UTF-8"),
    "cp1252": gettext_lazy("Windows-1252 (Western Europe)"),
    "latin-1": gettext_lazy("ISO 8859-1 (Latin-1)"),
    "iso8859-15": gettext_lazy("ISO 8859-15 (Latin-9)"),
    "cp1250": gettext_lazy("Windows-1250 (Central Europe)"),
    "cp1251": gettext_lazy("Windows-1251 (Cyrillic)"),
    "cp1253": gettext_lazy("Windows-1253 (Greek)"),
    "cp1254": gettext_lazy("Windows-1254 (Turkish)"),
    "mac-roman": gettext_lazy("Mac Roman"),
    "shift_jis": gettext_lazy("Shift JIS (Japanese)"),
    "gb18030": gettext_lazy("GB 18030 (Chinese)"),
    "utf-16": gettext_lazy("UTF-16"),
    "utf-16-le": gettext_lazy("UTF-16 LE, without mark"),
    "utf-16-be": gettext_lazy("UTF-16 BE, without mark"),
}
DELIMITERS = {
    ",": gettext_lazy("Comma  ,"),
    ";": gettext_lazy("Semicolon  ;"),
    "\t": gettext_lazy("Tab"),
    "|": gettext_lazy("Vertical bar  |"),
}
#: Bytes that Windows-1252 does not use.
_NOT_CP1252 = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])

#: What text is made of in any encoding but UTF-16; a few others are the fault of their rows alone.
_TEXT_BYTES = bytes([9, 10, 11, 12, 13, *range(32, 256)])
_MOST_CONTROLS = 0.01


def recognise(head: bytes) -> ListImport.Kind:
    """Return what the file is that begins so. Raises :class:`FileFault`."""
    if not head.strip(b"\x00 \t\r\n"):
        raise FileFault(_("The file is empty."))
    if head.startswith(b"PK\x03\x04"):
        return ListImport.Kind.XLSX
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileFault(
            _(
                "This is an old Excel file (.xls), or has a password. Save it as XLSX without a password, or as CSV."
            )
        )
    guess_encoding(head)
    return ListImport.Kind.CSV


def guess_encoding(head: bytes, *, is_utf8: bool = True) -> str:
    """Return the encoding of a text that begins so; ``is_utf8`` says whether all of it could be UTF-8.

    Raises :class:`FileFault` if it is no text.
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.count(0) > len(head) * _MOST_CONTROLS:
        return _utf16_without_mark(head)
    if len(head.translate(None, _TEXT_BYTES)) > len(head) * _MOST_CONTROLS:
        raise _no_table()
    if is_utf8:
        return "utf-8-sig"
    return "latin-1" if any(byte in _NOT_CP1252 for byte in head) else "cp1252"


def _utf16_without_mark(head: bytes) -> str:
    """Mostly Western text in UTF-16 has a NUL in every second byte, and on one side only."""
    half = len(head) // 2
    first, second = head[::2].count(0), head[1::2].count(0)
    if second > half * 0.4 and first < half * 0.1:
        return "utf-16-le"
    if first > half * 0.4 and second < half * 0.1:
        return "utf-16-be"
    raise _no_table()


def _no_table() -> FileFault:
    return FileFault(
        _("This is neither a CSV file nor an Excel file (XLSX). Save the table as one of these.")
    )


def guess_delimiter(head: bytes, encoding: str) -> str:
    """Return the separator by which most rows have the same number of columns."""
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    # The last line is probably cut.
    lines = text.splitlines()[:200][: -1 if len(text) > 1000 else None] or [text]
    if lines[0].strip('"').lower().startswith("sep=") and lines[0].strip('"')[4:5] in DELIMITERS:
        return lines[0].strip('"')[4:5]
    return max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter))


def _fit(lines: list[str], delimiter: str) -> tuple[float, int]:
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    except csv.Error:
        return 0.0, 0
    if not widths:
        return 0.0, 0
    width, rows = widths.most_common(1)[0]
    return (rows / widths.total(), width) if width > 1 else (0.0, 1)


class Utf8Watch:
    """Tells of a file that goes by in chunks whether all of it is UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.holds = True

    def see(self, chunk: bytes, *, final: bool = False) -> None:
        if self.holds:
            try:
                self._decoder.decode(chunk, final)
            except UnicodeDecodeError:
                self.holds = False
