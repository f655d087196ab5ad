"""No cell of an export may be run as a formula, and none may lose what it says."""

import csv
import io

import pytest

from massmail_plugin.admin.spreadsheets import safe_cell, stream_csv


@pytest.mark.parametrize(
    "hostile", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=cmd|"/c calc"!A1', "=", "-"]
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(hostile):
    assert safe_cell(hostile) == f"'{hostile}"


@pytest.mark.parametrize("harmless", ["", "Ada", "ada@example.com", "1+1", "'=1", " =1", "Größe"])
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
