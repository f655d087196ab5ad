"""The rows of a sheet in an XLSX file. The file comes from a stranger: it is measured before it is unpacked.

Read here and not by openpyxl, which keeps all texts, and whatever stands between two rows, in memory, and reads a
sheet to its end that does not say how large it is.
"""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, BinaryIO

from django.utils.translation import gettext as _

from massmail_plugin.audience.importing.faults import FileFault
from massmail_plugin.audience.importing.xlsx_book import WORKBOOK, Book, Sheet, read_book
from massmail_plugin.audience.importing.xlsx_sheet import Row, sheet_rows
from massmail_plugin.audience.importing.xlsx_texts import SharedTexts

logger = logging.getLogger("massmail_plugin.audience")

#: Bytes that a file may unpack to.
_MOST_BYTES = 1024**3
_MOST_PARTS = 5_000
#: Tables shrink to a tenth or a thirtieth; a bomb to a thousandth.
_MOST_SHRUNK, _MAY_SHRINK_BYTES = 150, 4 * 1024**2
#: What is looked at of a file while somebody waits: sheets, rows of all of them, texts.
_SAMPLE_SHEETS, _SAMPLE_LOOK_AT, _SAMPLE_TEXTS = 20, 20_000, 200_000


def xlsx_rows(stream: BinaryIO, sheet: str) -> Iterator[Row]:
    """Yield (number, cells) for each row with anything in it. Raises :class:`FileFault`."""
    with _workbook(stream) as workbook:
        found = next((each for each in workbook.book.sheets if each.title == sheet), None)
        if found is None:
            raise FileFault(_("The file has no sheet “%(sheet)s” any more.") % {"sheet": sheet})
        for number, cells in workbook.rows(found):
            if any(cell.strip() for cell in cells):
                yield number, cells


def xlsx_samples(stream: BinaryIO, number: int) -> dict[str, list[list[str]]]:
    """Return the first rows of each visible sheet that has any. Raises :class:`FileFault`.

    Takes a second or two with any file. A text that stands too far on is shown as an ellipsis.
    """
    samples: dict[str, list[list[str]]] = {}
    left = _SAMPLE_LOOK_AT
    with _workbook(stream, most_texts=_SAMPLE_TEXTS) as workbook:
        for sheet in [each for each in workbook.book.sheets[:_SAMPLE_SHEETS] if each.is_visible]:
            first: list[list[str]] = []
            for _number, cells in workbook.rows(sheet):
                if any(cell.strip() for cell in cells):
                    first.append(cells)
                left -= 1
                if len(first) == number or left <= 0:
                    break
            if first:
                samples[sheet.title] = first
    if not samples:
        raise FileFault(_("The file is empty: none of its sheets has anything in it."))
    return samples


class _Workbook:
    """An open file: what it holds, and the rows of its sheets."""

    def __init__(self, archive: zipfile.ZipFile, book: Book, texts: SharedTexts) -> None:
        self._archive, self.book, self._texts = archive, book, texts

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        with self._archive.open(sheet.part) as part:
            yield from sheet_rows(part, self.book, self._texts)  # type: ignore[arg-type]


@contextmanager
def _workbook(stream: BinaryIO, most_texts: int | None = None) -> Iterator[_Workbook]:
    """Open the file; whatever is wrong with it becomes a :class:`FileFault`."""
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(stream, file)
        try:
            _measure(file)
            archive = stack.enter_context(zipfile.ZipFile(file))
            book = read_book(archive)
            part: Any = stack.enter_context(archive.open(book.texts)) if book.texts else None
            texts = stack.enter_context(SharedTexts(part, most_texts))
            yield _Workbook(archive, book, texts)
        except (FileFault, GeneratorExit):
            raise
        except Exception as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                # The disk is full: not the file's fault.
                raise
            logger.info("An XLSX file could not be read: %s", type(error).__name__)
            raise FileFault(
                _(
                    "The Excel file is damaged and cannot be read. Open it in Excel, save it again, and upload that."
                )
            ) from error


def _measure(file: IO[bytes]) -> None:
    """Refuse what is no workbook, and what would fill the disk. ``zipfile`` unpacks no more than is declared."""
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    if WORKBOOK not in {part.filename for part in parts}:
        raise FileFault(_("This is not an Excel file (XLSX). Save the table as XLSX or CSV."))
    is_bomb = (
        len(parts) > _MOST_PARTS
        or sum(part.file_size for part in parts) > _MOST_BYTES
        or any(
            part.file_size > _MAY_SHRINK_BYTES and part.file_size > _MOST_SHRUNK * max(part.compress_size, 1)
            for part in parts
        )
    )
    if is_bomb:
        raise FileFault(
            _(
                "The file would unpack to far more than it should hold. If it is a real table, save it as CSV instead."
            )
        )
    file.seek(0)
