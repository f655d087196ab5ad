"""No cell of an export may be run as a formula, and none may lose what it says."""

import csv
import io

import pytest
from openpyxl import load_workbook

from massmail_plugin.admin import spreadsheets
from massmail_plugin.admin.spreadsheets import safe_cell, send_xlsx, stream_csv


@pytest.mark.parametrize(
    "hostile",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=cmd|"/c calc"!A1', "=", "-"),
        *(
            " =1",
            "\u3000=1",
            "\xa0\t=1",
            "\u200b@x",
            "\uff1d1+1",
            "\uff0b1",
            "\uff0d1",
            "\uff20SUM(A1)",
            "\x00=1",
        ),
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(hostile):
    assert safe_cell(hostile) == f"'{hostile}"


@pytest.mark.parametrize("harmless", ["", "Ada", "ada@example.com", "1+1", "'=1", " 1", "Größe"])
def test_other_text_stays_as_it_is(harmless):
    assert safe_cell(harmless) == harmless


def test_nothing_is_an_empty_cell_and_numbers_are_text():
    assert (safe_cell(None), safe_cell(0), safe_cell(-3)) == ("", "0", "'-3")


def test_a_file_parses_back_whatever_stands_in_it():
    rows = [['say "hi", Ada', "line\nbreak", "=2+2"], ["ä;ö", "", "x"]]
    text = b"".join(stream_csv("log", ["Name", "@Note", "Last"], rows)).decode()
    assert text.startswith("\ufeff")
    parsed = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert parsed == [
        ["Name", "'@Note", "Last"],
        ['say "hi", Ada', "line\nbreak", "'=2+2"],
        ["ä;ö", "", "x"],
    ]


def test_rows_are_read_while_they_are_written():
    taken = []

    def rows():
        for number in range(3):
            taken.append(number)
            yield [number]

    lines = iter(stream_csv("log", ["Number"], rows()).streaming_content)
    next(lines)
    next(lines)
    assert taken == [0]


def test_a_workbook_holds_text_and_no_formula():
    rows = [["=2+2", "@SUM(A1)", -3, None, "bell \x07 and \x00"], ["x" * 40_000, "ä", "", "-1"]]
    file = io.BytesIO(b"".join(send_xlsx("log", ["=Name", "B"], rows).streaming_content))
    sheet = load_workbook(file).worksheets[0]

    assert [[cell.value for cell in row] for row in sheet.iter_rows(max_row=2)] == [
        ["=Name", "B", None, None, None],
        ["=2+2", "@SUM(A1)", -3, None, "bell  and "],
    ]
    assert {cell.data_type for row in sheet for cell in row} <= {"s", "n", "inlineStr"}
    assert len(sheet.cell(3, 1).value) == 32_767


def test_a_workbook_goes_on_in_another_sheet(monkeypatch):
    monkeypatch.setattr(spreadsheets, "_SHEET_ROWS", 3)
    file = io.BytesIO(b"".join(send_xlsx("log", ["N"], [[n] for n in range(5)]).streaming_content))
    book = load_workbook(file)

    assert [[row[0].value for row in sheet] for sheet in book] == [["N", 0, 1], ["N", 2, 3], ["N", 4]]


def test_a_workbook_of_nothing_has_its_headings():
    book = load_workbook(io.BytesIO(b"".join(send_xlsx("log", ["N"], []).streaming_content)))
    assert [row[0].value for row in book.worksheets[0]] == ["N"]
