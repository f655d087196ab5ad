"""XLSX files that want to fill the memory or never end are refused, and say what to do instead."""

from __future__ import annotations

import io
import zipfile

import pytest
from openpyxl import Workbook

from massmail_plugin.audience.importing.faults import FileFault
from massmail_plugin.audience.importing.xlsx_rows import xlsx_rows, xlsx_samples

SHEET = "xl/worksheets/sheet1.xml"


def a_workbook() -> bytes:
    workbook = Workbook()
    workbook.active.title = "People"
    workbook.active.append(["Email"])
    workbook.active.append(["ada@example.org"])
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def with_parts(parts: dict[str, bytes | None]) -> io.BytesIO:
    """Return the workbook with these parts instead of its own, or without those that are None."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(a_workbook())) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        kept = {name: old.read(name) for name in old.namelist()}
        for name, data in {**kept, **parts}.items():
            if data is not None:
                new.writestr(name, data)
    file.seek(0)
    return file


def a_sheet(rows: str, dimension: str = "A1") -> bytes:
    head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    return f'{head}<dimension ref="{dimension}"/><sheetData>{rows}</sheetData></worksheet>'.encode()


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def rows_of(file: io.BytesIO) -> list[tuple[int, list[str]]]:
    return list(xlsx_rows(file, "People"))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"xl/media/bomb.bin": b"\0" * 30_000_000}, "far more than it should hold"),
        ({"xl/sharedStrings.xml": b" " * 30_000_000}, "far more than it should hold"),
        ({f"junk/{n}": b"" for n in range(6000)}, "far more than it should hold"),
        ({"xl/workbook.xml": None}, "not an Excel file"),
        ({SHEET: None}, "has no sheet"),
        ({SHEET: b"<worksheet"}, "damaged"),
        ({"xl/workbook.xml": b"nonsense"}, "damaged"),
        ({SHEET: a_sheet(f'<row r="1">{cell("ZZZ1", "x")}</row>')}, "more than 500 columns"),
        (
            {SHEET: a_sheet(f'<row r="99999999">{cell("A99999999", "x")}</row>')},
            "more rows than Excel allows",
        ),
        ({SHEET: a_sheet(f'<row r="1">{cell("A1", "x" * 200_000)}</row>')}, "more than 131072 characters"),
    ],
)
def test_what_would_fill_the_memory_or_never_end_is_refused(
    parts: dict[str, bytes | None], said: str
) -> None:
    with pytest.raises(FileFault, match=said):
        rows_of(with_parts(parts))


def test_an_entity_that_grows_is_refused() -> None:
    bomb = b'<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    sheet = bomb + a_sheet(f'<row r="1">{cell("A1", "&b;")}</row>')
    with pytest.raises(FileFault, match="damaged"):
        rows_of(with_parts({SHEET: sheet}))


def test_a_lie_about_the_size_is_not_believed() -> None:
    sheet = a_sheet(
        f'<row r="1">{cell("A1", "Email")}</row><row r="7">{cell("B7", "x")}</row>', "A1:XFD1048576"
    )

    assert rows_of(with_parts({SHEET: sheet})) == [(1, ["Email"]), (7, ["", "x"])]


def test_a_workbook_without_anything_in_it_is_empty() -> None:
    with pytest.raises(FileFault, match="empty"):
        xlsx_samples(with_parts({SHEET: a_sheet("")}), 10)


def test_a_cut_file_is_damaged() -> None:
    with pytest.raises(FileFault, match="damaged"):
        rows_of(io.BytesIO(a_workbook()[:-500]))
