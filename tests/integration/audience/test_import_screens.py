"""The screens of an import: upload, columns, progress, failed rows; and who may use them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import Workbook, load_workbook
from wagtail.models import PageLogEntry

from massmail_plugin.audience.importing.models import ImportPiece, ListImport
from massmail_plugin.audience.importing.working import work_on
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.delivery.running import nudges
from massmail_plugin.recipients.consent import How, Scope, opt_out
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, Subscriber
from tests.builders import a_target_list, a_user
from tests.integration.audience.conftest import messages_of

pytestmark = pytest.mark.django_db

PEOPLE = "First name;Last name;E-Mail\nAda;Lovelace;ada@example.org\nBob;;no address\n"


@pytest.fixture
def into() -> TargetListPage:
    return a_target_list(title="Prospects")


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(nudges, "_enqueue", lambda *call: calls.append(call))
    return calls


def upload(browser: Client, into: TargetListPage, data: bytes | str, name: str = "people.csv") -> Any:
    content = data.encode() if isinstance(data, str) else data
    file = SimpleUploadedFile(name, content)
    return browser.post(f"/admin/target-lists/{into.pk}/import/", {"file": file}, follow=True)


def start(browser: Client, page: Any, **fields: Any) -> Any:
    """Press "Start the import" on the page of columns, with what it suggests but for ``fields``."""
    reading, columns = page.context["reading"], page.context["columns"]
    data = {name: reading[name].value() for name in reading.fields}
    data |= {name: columns[name].value() for name in columns.fields}
    data = {
        name: value
        for name, value in {**data, **fields}.items()
        if value or (value == 0 and value is not False)
    }
    return browser.post(page.request["PATH_INFO"], data, follow=True)


def work() -> ListImport:
    what = ListImport.objects.get()
    work_on(what.pk, timezone.now, seconds=600, stop=lambda: False)
    what.refresh_from_db()
    return what


def test_from_the_file_to_the_result(
    browser: Client, into: TargetListPage, queued: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    columns = upload(browser, into, PEOPLE)
    assert columns.context["table"]["heads"] == ["A: First name", "B: Last name", "C: E-Mail"]
    assert columns.context["columns"]["address"].value() == 2
    with django_capture_on_commit_callbacks(execute=True):
        page = start(browser, columns)
    what = ListImport.objects.get()
    assert queued == [("massmail_plugin.delivery.tasks.run_import", what.pk)]
    assert page.request["PATH_INFO"] == f"/admin/target-lists/{into.pk}/import/{what.pk}/"
    assert page.context["next_seconds"] > 0
    assert "Stop the import" in page.content.decode()

    work()
    parts = browser.get(f"{page.request['PATH_INFO']}progress/")
    text = parts.content.decode()
    assert parts.context["next_seconds"] == 0
    assert "massmail-clock" in text
    assert "<html" not in text
    assert "There is no e-mail address" not in text
    assert "malformed" in text
    assert Subscriber.objects.get().name == "Ada Lovelace"
    entry = PageLogEntry.objects.filter(action="massmail.add_members").get()
    assert (entry.page_id, entry.data["number"], entry.user) == (into.pk, 1, what.started_by)


def test_what_people_have_said_is_told_in_the_result(browser: Client, into: TargetListPage) -> None:
    opt_out(EmailAddress.objects.create(key="ada@example.org"), [Scope()], How(ConsentEvent.Method.LINK))
    page = start(browser, upload(browser, into, "Email\nada@example.org\n"))
    work()
    text = browser.get(page.request["PATH_INFO"]).content.decode()

    assert "Opted out of all mailings: 1" in text
    assert "An import does not change what people have said." in text


def failed_rows(browser: Client, what: ListImport, kind: str) -> list[list[Any]]:
    response = browser.get(f"/admin/target-lists/{what.target_list_id}/import/{what.pk}/failed/{kind}/")
    content = b"".join(response.streaming_content)
    if kind == "csv":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    return [[cell.value or "" for cell in row] for row in load_workbook(io.BytesIO(content)).worksheets[0]]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_failed_rows_are_downloaded_corrected_and_imported_again(
    browser: Client, into: TargetListPage, kind: str
) -> None:
    start(browser, upload(browser, into, f"{PEOPLE}=1+1;Carl;\n"))
    rows = failed_rows(browser, work(), kind)
    apostrophe = "'" if kind == "csv" else ""
    assert [row[:1] + row[2:] for row in rows] == [
        ["Line", "First name", "Last name", "E-Mail"],
        ["3" if kind == "csv" else 3, "Bob", "", "no address"],
        ["4" if kind == "csv" else 4, f"{apostrophe}=1+1", "Carl", ""],
    ]
    assert "malformed" in rows[1][1]

    rows[1][4] = "bob@example.org"
    ListImport.objects.all().delete()
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    start(browser, upload(browser, into, out.getvalue()))
    again = work()
    assert (again.added, again.failed) == (1, 1)
    assert set(Subscriber.objects.values_list("key", flat=True)) == {"ada@example.org", "bob@example.org"}


def test_no_other_format_is_offered(browser: Client, into: TargetListPage) -> None:
    start(browser, upload(browser, into, PEOPLE))
    url = f"/admin/target-lists/{into.pk}/import/{work().pk}/failed/ods/"
    assert browser.get(url).status_code == 404


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("people.csv", b"", "The file is empty."),
        ("people.xlsx", b"   \n", "The file is empty."),
        ("people.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 100, "old Excel file"),
        ("people.xlsx", b"%PDF-1.7\x00\x01\x02\x03\x04" * 100, "neither a CSV file"),
        ("people.xlsx", b"PK\x03\x04 is no archive", "damaged"),
    ],
)
def test_what_cannot_be_imported_is_said_at_the_field_and_leaves_nothing(
    browser: Client, into: TargetListPage, name: str, data: bytes, said: str
) -> None:
    page = upload(browser, into, data, name)

    assert said in str(page.context["form"].errors["file"])
    assert not ListImport.objects.exists()
    assert not ImportPiece.objects.exists()


def test_a_file_that_is_too_large_is_refused(browser: Client, into: TargetListPage, settings: Any) -> None:
    settings.MASSMAIL = {**settings.MASSMAIL, "IMPORT_MAX_MEGABYTES": 1}
    page = upload(browser, into, b"Email\n" + b"x" * 1024**2)

    assert "larger than 1 MB" in str(page.context["form"].errors["file"])


def test_the_encoding_can_be_corrected(browser: Client, into: TargetListPage) -> None:
    data = "Email,Name\nolga@example.org,Ольга\n".encode("cp1251")
    columns = upload(browser, into, data)
    assert columns.context["reading"]["encoding"].value() == "cp1252"
    assert "Ольга" not in columns.content.decode()

    columns = start(browser, columns, encoding="cp1251", again="1")
    assert "Ольга" in columns.content.decode()
    start(browser, columns)
    work()
    assert Subscriber.objects.get().name == "Ольга"


def test_a_choice_that_cannot_be_read_is_said_and_can_be_undone(
    browser: Client, into: TargetListPage
) -> None:
    columns = upload(browser, into, "Email,Name\nzoe@example.org,Zoë\n".encode("cp1252"))
    wrong = start(browser, columns, encoding="utf-8-sig", again="1")
    assert "do not fit the encoding" in wrong.context["fault"]
    assert "Start the import" not in wrong.content.decode()

    data = {"encoding": "cp1252", "delimiter": ",", "has_headings": "on", "again": "1"}
    assert "Zoë" in browser.post(wrong.request["PATH_INFO"], data).content.decode()


def test_a_file_without_headings_loses_no_row(browser: Client, into: TargetListPage) -> None:
    columns = upload(browser, into, "ada@example.org,Ada\nbob@example.org,Bob\n")
    assert not columns.context["reading"]["has_headings"].value()
    assert columns.context["table"]["heads"] == ["A: ada@example.org", "B: Ada"]
    start(browser, columns, name="1")
    assert (work().added, Subscriber.objects.get(key="ada@example.org").name) == (2, "Ada")


def test_columns_with_the_same_heading_are_told_apart_and_not_guessed(
    browser: Client, into: TargetListPage
) -> None:
    columns = upload(browser, into, "Email,Email,Name\nprivate@example.org,work@example.org,Ada\n")
    assert "Several columns have the same heading: Email." in columns.content.decode()
    assert columns.context["columns"]["address"].value() is None

    start(browser, columns, address="1")
    work()
    assert Subscriber.objects.get().key == "work@example.org"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"address": ""}, "This field is required."),
        ({"address": "0"}, "No row below has an e-mail address in this column."),
        ({"name": "2"}, "One column is chosen twice."),
        ({"address": "99"}, "99 is not one of the available choices."),
    ],
)
def test_a_wrong_choice_of_columns_is_said_and_starts_nothing(
    browser: Client, into: TargetListPage, fields: dict[str, str], said: str
) -> None:
    page = start(browser, upload(browser, into, PEOPLE), **fields)

    assert said in page.content.decode()
    assert ListImport.objects.get().state == ListImport.State.UPLOADED


def test_the_sheet_is_chosen_where_there_are_several(browser: Client, into: TargetListPage) -> None:
    workbook = Workbook()
    workbook.active.title = "Notes"
    workbook.active.append(["Nothing here"])
    sheet = workbook.create_sheet("People")
    sheet.append(["E-Mail", "Name"])
    sheet.append(["ada@example.org", "Ada"])
    file = io.BytesIO()
    workbook.save(file)
    columns = upload(browser, into, file.getvalue(), "people.xlsx")
    columns = start(browser, columns, sheet="People", again="1")
    start(browser, columns)

    assert (work().added, Subscriber.objects.get().name) == (1, "Ada")


def test_a_row_wider_than_its_headings_fails_also_among_the_first(
    browser: Client, into: TargetListPage
) -> None:
    start(browser, upload(browser, into, "Email,Name\nada@example.org,Lovelace, Ada\nbob@example.org,Bob\n"))

    assert (work().added, ListImport.objects.get().failed) == (1, 1)


def test_an_import_is_stopped(browser: Client, into: TargetListPage) -> None:
    page = start(browser, upload(browser, into, PEOPLE))
    url = page.request["PATH_INFO"]
    assert browser.get(f"{url}stop/").status_code == 405

    assert "Stopped." in messages_of(browser.post(f"{url}stop/", follow=True))
    assert "ended already" in messages_of(browser.post(f"{url}stop/", follow=True))
    assert (work().state, into.members.count()) == (ListImport.State.STOPPED, 0)


def test_pages_of_an_import_lead_to_each_other_by_its_state(browser: Client, into: TargetListPage) -> None:
    upload(browser, into, PEOPLE)
    url = f"/admin/target-lists/{into.pk}/import/{ListImport.objects.get().pk}/"
    assert browser.get(url).url == f"{url}columns/"
    start(browser, browser.get(f"{url}columns/"))
    assert browser.get(f"{url}columns/").url == url
    assert "people.csv" in browser.get(f"/admin/target-lists/{into.pk}/import/").content.decode()


def _urls(into: TargetListPage, what: ListImport) -> list[str]:
    one = f"/admin/target-lists/{into.pk}/import/"
    return [one, *(f"{one}{what.pk}/{page}" for page in ("", "columns/", "progress/", "failed/csv/"))]


def test_only_who_may_change_the_list_sees_anything_of_an_import(
    browser: Client, into: TargetListPage, editor: Any
) -> None:
    upload(browser, into, PEOPLE)
    what = ListImport.objects.get()
    into.locked, into.locked_by = True, a_user()
    into.save()
    for url in _urls(into, what):
        assert browser.get(url).status_code == 302, url
    browser.post(f"/admin/target-lists/{into.pk}/import/{what.pk}/stop/")
    what.refresh_from_db()
    assert what.state == ListImport.State.UPLOADED


def test_an_import_is_not_reached_through_another_list(browser: Client, into: TargetListPage) -> None:
    upload(browser, into, PEOPLE)
    other = a_target_list()
    for url in _urls(other, ListImport.objects.get())[1:]:
        assert browser.get(url).status_code == 404, url


def test_the_queries_of_the_page_do_not_grow_with_what_failed(browser: Client, into: TargetListPage) -> None:
    def queries(rows: int) -> int:
        ListImport.objects.all().delete()
        url = start(browser, upload(browser, into, "Email\n" + "nobody\n" * rows)).request["PATH_INFO"]
        work()
        with CaptureQueriesContext(connection) as captured:
            browser.get(url)
        return len(captured)

    assert queries(1) == queries(30)
