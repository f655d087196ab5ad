"""The people of a list as a spreadsheet: everybody who would get a mailing to it, and why."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from massmail_plugin import recipients
from massmail_plugin.admin.target_lists import exporting, member_views
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.sources import parts_of
from massmail_plugin.recipients.consent import How, Scope, opt_out
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact, Lead
from tests.builders import a_contact, a_segment, a_target_list, contacts

pytestmark = pytest.mark.django_db

BY_LINK = How(ConsentEvent.Method.LINK)


def exported(browser: Client, into: TargetListPage, query: str) -> list[list[str]]:
    response = browser.get(f"/admin/target-lists/{into.pk}/?{query}")
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def test_the_people_of_a_list_are_exported_as_they_are_filtered(browser: Client) -> None:
    ada, bob = a_contact("ada@example.org", first_name="=Ada", last_name="L"), a_contact("bob@example.org")
    into = a_target_list(ada, bob, title="Prospects & more")
    opt_out(EmailAddress.objects.create(key="bob@example.org"), [Scope()], How(ConsentEvent.Method.LINK))
    rows = exported(browser, into, "export=csv")

    assert rows[0] == ["Name", "E-mail address", "Type", "Status", "Details", "Added", "In the list through"]
    assert [row[1:4] for row in rows[1:]] == [
        ["ada@example.org", "Contact", "Can be mailed"],
        ["bob@example.org", "Contact", "Opted out of all mailings"],
    ]
    assert rows[1][0] == "'=Ada L"
    assert [row[1] for row in exported(browser, into, "export=csv&status=opted_out")[1:]] == [
        "bob@example.org"
    ]
    assert [row[1] for row in exported(browser, into, "export=csv&q=ada")[1:]] == ["ada@example.org"]
    page = browser.get(f"/admin/target-lists/{into.pk}/?status=opted_out").content.decode()
    assert "?status=opted_out&amp;export=csv" in page


def test_an_export_to_excel_holds_the_same(browser: Client) -> None:
    into = a_target_list(a_contact("ada@example.org", first_name="=Ada", last_name="L"), title="Prospects")
    response = browser.get(f"/admin/target-lists/{into.pk}/?export=xlsx")
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).worksheets[0]

    assert [cell.value for cell in sheet[2]][:4] == ["=Ada L", "ada@example.org", "Contact", "Can be mailed"]
    assert sheet["A2"].data_type != "f"
    assert response["Content-Disposition"] == 'attachment; filename="prospects.xlsx"'


@pytest.fixture
def with_segments() -> TargetListPage:
    """A list of Ada, with two live segments: of people in Dublin (Ada is one), and of leads."""
    ada = a_contact("ada@example.org", first_name="Ada", last_name="L", city="Dublin")
    into = a_target_list(ada, title="Ireland")
    a_contact("bob@example.org", first_name="Bob", last_name="B", city="Dublin")
    a_contact("left@example.org", first_name="Lea", last_name="Left", city="Dublin")
    a_contact("nobody@example.org", first_name="Not", last_name="Inside", city="Cork")
    opt_out(EmailAddress.objects.create(key="left@example.org"), [into.consent_scope], BY_LINK)
    Lead.objects.create(last_name="Twin", email="BOB@example.org")
    Lead.objects.create(last_name="=Eve", email="eve@example.org")
    into.live_segments.set([a_segment(name="Dubliners", city="Dublin"), a_segment(Lead, name="Leads")])
    into.save()
    return into


def through(rows: list[list[str]]) -> set[tuple[str, str, str]]:
    return {(row[1], row[3], row[6]) for row in rows[1:]}


def test_whoever_is_in_a_live_segment_is_in_the_file_with_the_segment(
    browser: Client, with_segments: TargetListPage
) -> None:
    rows = exported(browser, with_segments, "export=csv")

    assert through(rows) == {
        ("ada@example.org", "Can be mailed", "Member"),
        ("bob@example.org", "Can be mailed", "Segment “Dubliners”"),
        ("left@example.org", "Opted out of this list", "Segment “Dubliners”"),
        ("BOB@example.org", "The same address as another person", "Segment “Leads”"),
        ("eve@example.org", "Can be mailed", "Segment “Leads”"),
    }
    # Each once, and whoever a mailing looks at.
    assert len(rows) - 1 == sum(part.records.count() for part in parts_of(with_segments)) == 5
    assert "'=Eve" in {row[0] for row in rows}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("recipient_type=crm.lead", {"BOB@example.org", "eve@example.org"}),
        ("q=eve", {"eve@example.org"}),
        ("status=opted_out_list", {"left@example.org"}),
        ("status=mailable", {"ada@example.org", "bob@example.org", "eve@example.org"}),
    ],
)
def test_filters_and_search_hold_for_the_segments_people_too(
    browser: Client, with_segments: TargetListPage, query: str, names: set[str]
) -> None:
    assert {row[1] for row in exported(browser, with_segments, f"export=csv&{query}")[1:]} == names


def test_a_list_without_members_of_its_own_can_be_exported(browser: Client) -> None:
    a_contact("ada@example.org", city="Dublin")
    into = a_target_list()
    into.live_segments.set([a_segment(name="Dubliners", city="Dublin")])
    into.save()

    assert "export=csv" in browser.get(f"/admin/target-lists/{into.pk}/").content.decode()
    assert [row[1] for row in exported(browser, into, "export=csv")[1:]] == ["ada@example.org"]


def test_a_segment_that_cannot_be_used_says_so_in_the_file(
    browser: Client, with_segments: TargetListPage
) -> None:
    with_segments.live_segments.filter(name="Leads").update(recipient_type="crm.gone")
    rows = exported(browser, with_segments, "export=csv&status=mailable")

    (said,) = [row for row in rows if row[6] == "Segment “Leads”"]
    assert said[1] == ""
    assert said[3]


def test_people_whom_the_user_may_not_see_are_a_number(
    browser: Client, with_segments: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact_type: Any = type(recipients.get("crm.contact"))
    monkeypatch.setattr(
        contact_type, "choosable_by", lambda self, user: self.get_queryset().filter(city="Cork")
    )
    rows = exported(browser, with_segments, "export=csv")

    assert "bob@example.org" not in {row[1] for row in rows}
    assert [row[0] for row in rows if row[6] == "Segment “Dubliners”"] == ["2 more, whom you may not see"]


def test_the_queries_of_an_export_grow_with_its_chunks_only(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts(60)
    into = a_target_list()
    into.live_segments.set([a_segment(name="All")])
    into.save()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            exported(browser, into, "export=csv")
        return len(captured)

    queries()
    few = queries()
    Contact.objects.bulk_create(Contact(last_name="x", email=f"x{n}@example.org") for n in range(300))
    assert queries() == few
    monkeypatch.setattr(exporting, "_CHUNK", 100)
    assert few < queries() < few + 20


def test_a_long_list_is_not_filtered_by_status_on_the_screen_and_its_export_is(
    browser: Client, with_segments: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_views, "LOOK_AT_ALL_UP_TO", 0)
    opt_out(EmailAddress.objects.get_or_create(key="ada@example.org")[0], [Scope()], BY_LINK)
    url = f"/admin/target-lists/{with_segments.pk}/?look_at_all=1&status=opted_out"
    with CaptureQueriesContext(connection) as captured:
        page = browser.get(url)

    assert "too long to be filtered by status" in page.content.decode()
    assert list(page.context["table"].data) == []
    assert not [query for query in captured if " IN (1" in query["sql"] and "member" in query["sql"]]
    rows = exported(browser, with_segments, "export=csv&status=opted_out")
    assert [row[1] for row in rows[1:]] == ["ada@example.org"]
