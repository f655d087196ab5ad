"""XLSX files that want to fill the memory or never end are refused, and say what to do instead."""

from __future__ import annotations

import io
import random
import zipfile

import pytest
from openpyxl import Workbook

from massmail_plugin.audience.importing import xlsx_rows as xlsx_rows_module
from massmail_plugin.audience.importing import xlsx_sheet
from massmail_plugin.audience.importing.faults import FileFault
from massmail_plugin.audience.importing.xlsx_rows import xlsx_rows, xlsx_samples

SHEET = "xl/worksheets/sheet1.xml"
TEXTS = "xl/sharedStrings.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"
TEXTS_RELATION = (
    b'<Relationship Type="x/sharedStrings" Target="sharedStrings.xml" Id="texts"/></Relationships>'
)


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
        if TEXTS in parts:
            kept[RELATIONS] = kept[RELATIONS].replace(b"</Relationships>", TEXTS_RELATION)
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


EMPTY_CELL = '<c r="A1"/>'
SHARED_CELL = '<c t="s"><v>0</v></c>'
SHARED = f"<row>{SHARED_CELL}</row>"


def shared(*texts: str) -> bytes:
    head = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    return f"{head}{''.join(f'<si><t>{text}</t></si>' for text in texts)}</sst>".encode()


def _noise(length: int) -> str:
    """Letters that do not shrink to nothing."""
    return "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=length))


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
        # A row without an end, all of it in one cell; texts without an end.
        ({SHEET: a_sheet(f'<row r="1">{EMPTY_CELL * 100_000}</row>')}, "more than 500 columns"),
        ({SHEET: a_sheet(f'<row r="1">{cell("A1", "<b/>x" * 200_000)}</row>')}, "more than 131072"),
        ({SHEET: a_sheet(f"<row>{cell('', _noise(100_000)) * 11}</row>")}, "more than a million characters"),
        ({SHEET: a_sheet("<row>" * 1000)}, "damaged"),
        ({SHEET: a_sheet(f"<!--{_noise(3_000_000)}--><row/>")}, "damaged"),
        ({SHEET: a_sheet(f'<row r="{_noise(3_000_000)}"/>')}, "damaged"),
        ({SHEET: a_sheet(SHARED), TEXTS: shared("x" * 200_000)}, "more than 131072"),
        ({SHEET: a_sheet(SHARED), TEXTS: shared("x", "<t>")}, "damaged"),
        ({SHEET: a_sheet(SHARED.replace(">0<", ">7<")), TEXTS: shared("x")}, "damaged"),
        # One text in many cells.
        (
            {SHEET: a_sheet(f"<row>{SHARED_CELL * 11}</row>"), TEXTS: shared("x" * 100_000)},
            "a million characters",
        ),
        ({"xl/styles.xml": b"<styleSheet>" + b"<x>" * 1000}, "damaged"),
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


def test_the_first_rows_are_shown_without_reading_the_rest() -> None:
    """Not even of a sheet that does not say how large it is, or of the texts of all sheets."""
    rows = "".join(f"<row>{SHARED_CELL}<c><v>{n}</v></c></row>" for n in range(20_000))
    sheet = a_sheet(rows).replace(b'<dimension ref="A1"/>', b"").replace(b"</sheetData>", b"<broken")
    texts = shared("Email", *(_noise(50) for _number in range(20_000)))[: -len("</sst>")] + b"<broken"

    samples = xlsx_samples(with_parts({SHEET: sheet, TEXTS: texts}), 3)

    assert samples == {"People": [["Email", "0"], ["Email", "1"], ["Email", "2"]]}


def test_a_text_that_stands_too_far_on_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_rows_module, "_SAMPLE_TEXTS", 100)
    sheet = a_sheet(f"<row>{SHARED_CELL}</row><row>{SHARED_CELL.replace('0', '19999')}</row>")
    file = with_parts({SHEET: sheet, TEXTS: shared("Email", *map(str, range(20_000)))})

    assert xlsx_samples(file, 3) == {"People": [["Email"], ["…"]]}
    file.seek(0)
    assert rows_of(file)[1] == (2, ["19998"])


def test_one_long_text_in_all_cells_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_sheet, "_MOST_CHARACTERS", 10_000_000)
    sheet = a_sheet(f"<row>{SHARED_CELL * 9}</row>" * 20)
    with pytest.raises(FileFault, match="far more text"):
        rows_of(with_parts({SHEET: sheet, TEXTS: shared("x" * 100_000)}))


def test_what_follows_the_rows_is_not_read() -> None:
    sheet = a_sheet(f'<row r="1">{cell("A1", "Email")}</row>').replace(b"</worksheet>", b"<broken" * 99)

    assert rows_of(with_parts({SHEET: sheet})) == [(1, ["Email"])]


def test_cells_that_only_have_a_colour_are_no_columns() -> None:
    colours = "".join(f'<c r="{letters}1" s="0"/>' for letters in ("A", "ZZ", "XFD"))

    assert rows_of(with_parts({SHEET: a_sheet(f'<row r="1">{colours}{cell("B1", "x")}</row>')})) == [
        (1, ["", "x"])
    ]


def test_rows_without_numbers_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_sheet, "_MOST_ROWS", 1_000)
    with pytest.raises(FileFault, match="more rows than Excel allows"):
        rows_of(with_parts({SHEET: a_sheet('<row r="1"/>' * 1_001)}))
