"""A file with bad rows, from the editor's disk into a list: real processes, a real browser."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.acceptance.editor import Editor, is_cut_off

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.xdist_group("importing files")]

#: Milliseconds until a worker of a busy machine has imported a few rows.
PATIENCE = 120_000

ROWS = """Vorname;Nachname;E-Mail;Notiz
Zoë;Groß;zoe.gross@import.example;=1+1
Bob;Builder;bob at import.example;
;;;nobody
Ann;Müller;ANN@import.example;
Ann;again;ann@import.example;
Carl;Clicker;carl@import.example;one;too many
"""


@pytest.fixture
def editor(page: Page) -> Editor:
    editor = Editor(page)
    editor.logs_in("editor")
    return editor


def a_new_list(editor: Editor, title: str) -> None:
    editor.opens("Mailings", "Target lists")
    editor.page.get_by_role("link", name="Add target list").first.click()
    editor.presses("Create a new target list")
    editor.fills(Title=title)
    editor.page.get_by_role("navigation", name="Actions").get_by_role("button", name="Save").click()
    editor.sees("Nobody is in this list yet.")


def upload(editor: Editor, file: Path) -> None:
    editor.page.get_by_label("File", exact=False).first.set_input_files(file)
    editor.presses("Upload")


def is_fine(page: Page) -> None:
    """Neither axe nor the width of a phone finds fault with the page."""
    violations = Axe().run(page).response["violations"]
    serious = [each["id"] for each in violations if each["impact"] in ("serious", "critical")]
    assert serious == [], page.url
    size = page.viewport_size
    page.set_viewport_size({"width": 375, "height": 800})
    assert not is_cut_off(page), page.url
    page.set_viewport_size(size)


def test_a_file_with_bad_rows_is_imported_corrected_and_imported_again(
    editor: Editor, tmp_path: Path
) -> None:
    page = editor.page
    file = tmp_path / "people.csv"
    file.write_bytes(ROWS.encode("cp1252"))
    a_new_list(editor, "From a file")
    editor.follows("Import a file")
    is_fine(page)
    upload(editor, file)

    # What was found out about the file stands there, and the letters are right.
    expect(page.get_by_role("combobox", name="E-mail address")).to_have_value("2")
    editor.sees("Zoë")
    is_fine(page)
    editor.presses("Start the import")

    # Followed to its end without loading the page again.
    expect(page.get_by_role("link", name="Show the list")).to_be_visible(timeout=PATIENCE)
    figures = page.locator(".massmail-figures")
    expect(figures).to_contain_text("Added2")
    expect(figures).to_contain_text("Already in the list1")
    expect(figures).to_contain_text("Failed3")
    is_fine(page)

    with page.expect_download() as download:
        editor.follows("Download CSV")
    rows = list(csv.reader(download.value.path().read_text("utf-8-sig").splitlines()))
    assert [row[0] for row in rows] == ["Line", "3", "4", "7"]
    corrected = tmp_path / "corrected.csv"
    rows[1][4] = "bob@import.example"
    corrected.write_text("\n".join(",".join(row) for row in rows[:2]))

    editor.follows("Import another file")
    upload(editor, corrected)
    editor.presses("Start the import")
    expect(page.get_by_role("link", name="Show the list")).to_be_visible(timeout=PATIENCE)
    editor.follows("Show the list")
    for name in ("Zoë Groß", "Ann Müller", "Bob Builder"):
        editor.sees(name)
    editor.sees("3 of 3 people can be mailed.")


def test_people_are_moved_to_another_list(editor: Editor, tmp_path: Path) -> None:
    page = editor.page
    file = tmp_path / "people.csv"
    file.write_text("Email,Name\nmove1@import.example,Mover One\nmove2@import.example,Mover Two\n")
    a_new_list(editor, "To be moved from")
    editor.follows("Import a file")
    upload(editor, file)
    editor.presses("Start the import")
    expect(page.get_by_role("link", name="Show the list")).to_be_visible(timeout=PATIENCE)
    editor.follows("Show the list")
    page.get_by_role("checkbox", name="Select Mover One").check()
    # Also on a phone, where the bar is wider than the window and its listing longer.
    size = page.viewport_size
    page.set_viewport_size({"width": 375, "height": 400})
    expect(page.get_by_role("link", name="Move to a list")).to_be_in_viewport(ratio=1)
    page.set_viewport_size(size)
    page.get_by_role("link", name="Move to a list").click()
    is_fine(page)
    editor.fills(Or_the_name_of_a_new_list="Moved to")
    editor.presses("Move")
    editor.is_told("1 added to “Moved to”.")
    expect(page.get_by_role("main").get_by_text("Mover One")).to_have_count(0)
