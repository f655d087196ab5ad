"""The rows of a sheet in an XLSX file. The file comes from a stranger: it is measured before it is unpacked."""

from __future__ import annotations

import logging
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import IO, Any, BinaryIO

from django.utils.translation import gettext as _

from massmail_plugin.audience.importing.faults import FileFault

logger = logging.getLogger("massmail_plugin.audience")

#: Excel's own limit of rows, and more columns than any list of people has.
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 500
_LONGEST_CELL = 131_072
#: Bytes that a file may unpack to: altogether, and in the parts that are read as a whole.
_MOST_BYTES, _MOST_BYTES_WHOLE = 1024**3, 64 * 1024**2
_MOST_BYTES_TEXTS = 256 * 1024**2
_MOST_PARTS = 5_000
#: Tables shrink to a tenth or a thirtieth; a bomb to a thousandth.
_MOST_SHRUNK, _MAY_SHRINK_BYTES = 150, 4 * 1024**2
_SAMPLE_SHEETS = 20

Row = tuple[int, list[str]]


def xlsx_rows(stream: BinaryIO, sheet: str) -> Iterator[Row]:
    """Yield (number, cells) for each row with anything in it. Raises :class:`FileFault`."""
    with _workbook(stream) as workbook:
        if sheet not in workbook.sheetnames:
            raise FileFault(_("The file has no sheet “%(sheet)s” any more.") % {"sheet": sheet})
        yield from _rows(workbook[sheet])


def xlsx_samples(stream: BinaryIO, number: int) -> dict[str, list[list[str]]]:
    """Return the first rows of each visible sheet that has any. Raises :class:`FileFault`."""
    samples: dict[str, list[list[str]]] = {}
    with _workbook(stream) as workbook:
        for sheet in workbook.worksheets[:_SAMPLE_SHEETS]:
            if sheet.sheet_state != "visible":
                continue
            rows = _rows(sheet)
            first = [cells for _number, (_row, cells) in zip(range(number), rows, strict=False)]
            if first:
                samples[sheet.title] = first
    if not samples:
        raise FileFault(_("The file is empty: none of its sheets has anything in it."))
    return samples


def _rows(sheet: Any) -> Iterator[Row]:
    # What the file says about its size may be a lie, and openpyxl would believe it.
    sheet.reset_dimensions()
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > _MOST_ROWS:
            raise FileFault(_("The sheet has more rows than Excel allows. Save it again, or use CSV."))
        if len(values) > _MOST_COLUMNS:
            raise FileFault(
                _("Row %(row)d has more than %(most)d columns. Delete those that are not needed.")
                % {"row": number, "most": _MOST_COLUMNS}
            )
        cells = [_text(value) for value in values]
        if any(len(cell) > _LONGEST_CELL for cell in cells):
            raise FileFault(
                _("Row %(row)d has a cell with more than %(most)d characters. Delete or shorten it.")
                % {"row": number, "most": _LONGEST_CELL}
            )
        if any(cell.strip() for cell in cells):
            yield number, cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)


@contextmanager
def _workbook(stream: BinaryIO) -> Iterator[Any]:
    """Open the file, whatever is wrong with it: openpyxl has no exception of its own for broken files."""
    # Only here: it takes a fifth of a second to import.
    from openpyxl import load_workbook

    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file)
        try:
            _measure(file)
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                yield workbook
            finally:
                workbook.close()
        except (FileFault, GeneratorExit):
            raise
        except Exception as error:
            logger.info("An XLSX file could not be read: %s", type(error).__name__)
            raise FileFault(
                _(
                    "The Excel file is damaged and cannot be read. Open it in Excel, save it again, and upload that."
                )
            ) from error


def _measure(file: IO[bytes]) -> None:
    """Refuse what is no workbook, and what would fill the memory. ``zipfile`` unpacks no more than is declared."""
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    if "xl/workbook.xml" not in {part.filename for part in parts}:
        raise FileFault(_("This is not an Excel file (XLSX). Save the table as XLSX or CSV."))
    sizes = {part.filename: part.file_size for part in parts}
    whole = [
        name for name in sizes if not name.startswith("xl/worksheets/") and name.endswith((".xml", ".rels"))
    ]
    is_bomb = (
        len(parts) > _MOST_PARTS
        or sum(sizes.values()) > _MOST_BYTES
        or any(
            sizes[name] > (_MOST_BYTES_TEXTS if "sharedStrings" in name else _MOST_BYTES_WHOLE)
            for name in whole
        )
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
