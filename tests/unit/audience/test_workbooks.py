"""Workbooks as other programs write them: our reader says of each cell what openpyxl says of it."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from massmail_plugin.audience.importing.xlsx_rows import xlsx_rows, xlsx_samples

#: What XML can hold; the format's own way to write other letters is openpyxl's weak point.
LETTERS = st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"], exclude_characters="\x7f")
VALUES = st.one_of(
    st.none(),
    st.text(LETTERS, max_size=20).filter(lambda text: "_x" not in text and not text.startswith("=")),
    st.integers(-(10**15), 10**15),
    st.floats(-1e15, 1e15, allow_nan=False),
    st.booleans(),
    st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    st.dates(date(1901, 1, 1), date(2100, 1, 1)),
)


def written(*rows: list[Any], mac: bool = False) -> io.BytesIO:
    workbook = Workbook()
    if mac:
        workbook.epoch = CALENDAR_MAC_1904
    workbook.active.title = "People"
    for row in rows:
        workbook.active.append(row)
    file = io.BytesIO()
    workbook.save(file)
    file.seek(0)
    return file


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


def trimmed(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


@given(st.lists(st.lists(VALUES, min_size=1, max_size=5), min_size=1, max_size=5), st.booleans())
def test_each_cell_says_what_openpyxl_reads(rows: list[list[Any]], mac: bool) -> None:
    file = written(*rows, mac=mac)
    theirs = load_workbook(file, read_only=True, data_only=True)["People"].iter_rows(values_only=True)
    expected = [
        (number, trimmed([as_text(value) for value in row])) for number, row in enumerate(theirs, start=1)
    ]
    file.seek(0)

    ours = [(number, trimmed(cells)) for number, cells in xlsx_rows(file, "People")]

    assert ours == [(number, cells) for number, cells in expected if any(cell.strip() for cell in cells)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (491761234567.0, "491761234567"),
        (0.1, "0.1"),
        ("00491761234567", "00491761234567"),
        (time(12, 30), "12:30:00"),
        (timedelta(hours=30), "1 day, 6:00:00"),
        (datetime(2026, 2, 28, 12, 30), "2026-02-28T12:30:00"),
        (datetime(2026, 2, 28, tzinfo=UTC).date(), "2026-02-28T00:00:00"),
        ("two\nlines", "two\nlines"),
        (CellRichText("Ada ", TextBlock(InlineFont(b=True), "Lovelace")), "Ada Lovelace"),
    ],
)
def test_numbers_dates_and_texts_are_shown_as_people_know_them(value: Any, shown: str) -> None:
    assert list(xlsx_rows(written([value]), "People")) == [(1, [shown])]


def test_letters_that_xml_has_no_place_for_are_read_as_they_were_meant() -> None:
    file = with_texts("<si><t>a_x000D_b _x005F_x0041_</t></si>")

    assert list(xlsx_rows(file, "People")) == [(1, ["a\rb _x0041_"])]


def test_how_a_name_is_pronounced_is_no_part_of_it() -> None:
    file = with_texts("<si><r><t>山</t></r><r><t>田</t></r><rPh sb='0' eb='1'><t>ヤマダ</t></rPh></si>")

    assert list(xlsx_rows(file, "People")) == [(1, ["山田"])]


def test_hidden_sheets_are_not_offered() -> None:
    workbook = Workbook()
    workbook.active.append(["shown"])
    for state in ("hidden", "veryHidden"):
        sheet = workbook.create_sheet(state)
        sheet.append(["hidden"])
        sheet.sheet_state = state
    workbook.create_chartsheet("Chart")
    file = io.BytesIO()
    workbook.save(file)
    file.seek(0)

    assert xlsx_samples(file, 5) == {"Sheet": [["shown"]]}


def test_files_in_the_strict_form_are_read_too() -> None:
    """Excel's "Strict Open XML": other namespaces, the same names."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(written(["Email"], ["ada@example.org"])) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            text = old.read(name).decode()
            text = text.replace("http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/")
            new.writestr(name, text.replace("/2006/", "/"))
    file.seek(0)

    assert list(xlsx_rows(file, "People")) == [(1, ["Email"]), (2, ["ada@example.org"])]


def with_texts(texts: str) -> io.BytesIO:
    """Return a workbook with one cell, the first of these texts, which are kept apart as Excel does."""
    file = io.BytesIO()
    cell = "<c r='A1' t='s'><v>0</v></c>"
    with (
        zipfile.ZipFile(written(["x"])) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            text = old.read(name).decode()
            if name == "xl/_rels/workbook.xml.rels":
                relation = "<Relationship Type='x/sharedStrings' Target='texts.xml' Id='texts'/>"
                text = text.replace("</Relationships>", f"{relation}</Relationships>")
            elif name == "xl/worksheets/sheet1.xml":
                text = text[: text.index("<c ")] + cell + text[text.index("</row>") :]
            new.writestr(name, text)
        new.writestr(
            "xl/texts.xml",
            f"<sst xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>{texts}</sst>",
        )
    file.seek(0)
    return file
