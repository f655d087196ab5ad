"""The people of one list, as its screen shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from wagtail.models import PageLogEntry

from massmail_plugin.admin.target_lists import member_views
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.erased import erase_address
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Account, Contact, Lead, Ticket
from tests.builders import a_contact, a_target_list, contacts
from tests.integration.audience.conftest import messages_of

pytestmark = pytest.mark.django_db

Submit = Callable[..., Any]


def url_of(people: TargetListPage, rest: str = "") -> str:
    return f"/admin/target-lists/{people.pk}/{rest}"


def rows(page: Any) -> list[tuple[str, str, str]]:
    """Return (name, type, status) of each row shown."""
    return [(row.name, row.type_label, row.status) for row in page.context["table"].data]


@pytest.fixture
def mixed(db: None) -> TargetListPage:
    """Return a list with somebody of each type, and somebody for each fault."""
    leaver = EmailAddress.objects.create(key="leaver@example.org")
    dead = EmailAddress.objects.create(key="dead@example.org")
    angry = EmailAddress.objects.create(key="angry@example.org")
    lost = a_contact("lost@example.org")
    nowhere = a_contact("x@example.org", first_name="No", last_name="Where")
    gone = a_contact("gone@example.org")
    people = a_target_list(
        a_contact("ada@example.org", first_name="Ada", last_name="Lovelace"),
        Account.objects.create(name="Ada & Sons", email="office@example.org"),
        Lead.objects.create(first_name="Twin", last_name="Ada", email="ADA@example.org"),
        Ticket.objects.create(subject="Help", requester_name="Tess", requester_email="tess@@example.org"),
        a_contact("leaver@example.org", first_name="Lea", last_name="Ver"),
        a_contact("dead@example.org", first_name="De", last_name="Ad"),
        a_contact("angry@example.org", first_name="An", last_name="Gry"),
        lost,
        nowhere,
        gone,
        title="Mixed",
    )
    how = How(ConsentEvent.Method.OPERATOR)
    consent.opt_out(leaver, [Scope()], how)
    consent.mark_invalid(dead, how)
    consent.record_complaint(angry, how)
    consent.opt_out(EmailAddress.objects.create(key="lost@example.org"), [people.consent_scope], how)
    Contact.objects.filter(pk=nowhere.pk).update(email="")
    gone.delete()
    return people


def test_it_shows_each_member_with_a_word_on_how_it_stands(browser: Client, mixed: TargetListPage) -> None:
    shown = {(kind, status) for _name, kind, status in rows(browser.get(url_of(mixed)))}

    assert shown == {
        ("Contact", "Can be mailed"),
        ("Account", "Can be mailed"),
        ("Lead", "The same address as another person"),
        ("Ticket", "The e-mail address is malformed"),
        ("Contact", "Opted out of all mailings"),
        ("Contact", "The mailbox does not exist"),
        ("Contact", "Reported a mail as spam"),
        ("Contact", "Opted out of this list"),
        ("Contact", "No e-mail address"),
        ("Contact", "The record is gone"),
    }


def test_a_duplicate_names_who_gets_the_mail_instead(browser: Client, mixed: TargetListPage) -> None:
    (twin,) = browser.get(url_of(mixed, "?recipient_type=crm.lead")).context["table"].data

    assert (twin.name, twin.detail) == ("Twin Ada", "Ada Lovelace")


def test_the_figures_add_up_to_the_members(browser: Client, mixed: TargetListPage) -> None:
    context = browser.get(url_of(mixed)).context
    left_out = sum(count for _reason, _label, count in context["reasons"])

    assert (context["mailable"], context["not_mailable"], left_out, context["number"]) == (2, 8, 8, 10)


def test_each_reason_leads_to_exactly_its_people(browser: Client, mixed: TargetListPage) -> None:
    context = browser.get(url_of(mixed)).context

    for reason, label, count in context["reasons"]:
        found = rows(browser.get(url_of(mixed, f"?status={reason}")))
        assert [status for _name, _kind, status in found] == [label] * count
    assert len(rows(browser.get(url_of(mixed, "?status=mailable")))) == 2


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=ada", {"Ada Lovelace", "Ada & Sons", "Twin Ada"}),
        ("q=lovelace+ada", {"Ada Lovelace"}),
        ("q=OFFICE%40example", {"Ada & Sons"}),
        ("q=ada&recipient_type=crm.lead", {"Twin Ada"}),
        ("recipient_type=crm.ticket", {"Tess"}),
        ("q=nobody", set()),
        ("recipient_type=crm.supplier", set()),
        ("status=no-such", set()),
    ],
)
def test_search_and_filters_find_members(
    browser: Client, mixed: TargetListPage, query: str, names: set[str]
) -> None:
    assert {name for name, _kind, _status in rows(browser.get(url_of(mixed, f"?{query}")))} == names


def test_a_search_finds_nobody_who_is_not_in_the_list(browser: Client, mixed: TargetListPage) -> None:
    a_contact("ada.outside@example.org", first_name="Ada", last_name="Outside")

    assert "Outside" not in browser.get(url_of(mixed, "?q=ada")).content.decode()


def test_what_records_hold_is_shown_as_text(browser: Client) -> None:
    people = a_target_list(
        a_contact("x@example.org", first_name="<script>alert(1)</script>", last_name="{{ 7 }}")
    )
    page = browser.get(url_of(people)).content.decode()

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_type_that_the_host_has_dropped_is_still_shown_and_can_be_removed(
    browser: Client, submit: Submit
) -> None:
    people = a_target_list()
    member = people.members.create(recipient_type="crm.supplier", object_id="7")

    assert rows(browser.get(url_of(people))) == [("No. 7", "crm.supplier", "The record is gone")]
    submit(url_of(people, f"remove/?id={member.pk}"))
    assert not people.members.exists()


@pytest.mark.parametrize("is_somebody_erased", [False, True])
def test_a_list_that_is_looked_at_costs_as_many_queries_as_a_long_one(
    browser: Client, monkeypatch: pytest.MonkeyPatch, is_somebody_erased: bool
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get(url_of(people))
        return len(captured)

    people = a_target_list(*contacts(1200))
    if is_somebody_erased:
        erase_address("person7@customers.example", How(ConsentEvent.Method.OPERATOR))
    browser.get(url_of(people))
    short = queries()
    monkeypatch.setattr(member_views, "LOOK_AT_ALL_UP_TO", 1000)

    assert short == queries()


def test_queries_do_not_grow_with_the_rows_of_a_page(browser: Client) -> None:
    def queries(people: TargetListPage) -> int:
        browser.get(url_of(people))
        with CaptureQueriesContext(connection) as captured:
            browser.get(url_of(people))
        return len(captured)

    few = a_target_list(*contacts(2), Lead.objects.create(last_name="L", email="l@example.org"))
    leads = Lead.objects.bulk_create(Lead(last_name=f"L{n}", email=f"l{n}@example.org") for n in range(30))
    many = a_target_list(*leads, *contacts(100))

    assert queries(many) == queries(few)


def test_a_long_list_is_looked_at_only_on_request(
    browser: Client, mixed: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_views, "LOOK_AT_ALL_UP_TO", 5)
    at_first, asked = browser.get(url_of(mixed)), browser.get(url_of(mixed, "?look_at_all=1"))

    assert not at_first.context["counted"]
    assert "status" not in at_first.context["filters"].form.fields
    # Faults of single records are seen all the same.
    assert ("Tess", "Ticket", "The e-mail address is malformed") in rows(at_first)
    assert asked.context["mailable"] == 2


def test_removing_one_leaves_the_others(submit: Submit, mixed: TargetListPage) -> None:
    member = mixed.members.get(recipient_type="crm.lead")
    response = submit(url_of(mixed, f"remove/?id={member.pk}"))

    assert not mixed.members.filter(pk=member.pk).exists()
    assert mixed.members.count() == 9
    assert "1 person removed" in messages_of(response)


def test_removing_all_found_removes_the_found_and_nobody_else(submit: Submit, mixed: TargetListPage) -> None:
    submit(url_of(mixed, "remove/?q=ada&id=all"))

    assert mixed.members.count() == 7


def test_removing_all_with_a_status_removes_those(
    submit: Submit, browser: Client, mixed: TargetListPage
) -> None:
    submit(url_of(mixed, "remove/?status=record_gone&id=all"))

    assert mixed.members.count() == 9
    assert "The record is gone" not in {status for _name, _kind, status in rows(browser.get(url_of(mixed)))}


@pytest.mark.parametrize(
    "query", ["stat=duplicate&id=all", "status=rubbish&id=all", "recipient_type=x&id=all"]
)
def test_a_filter_that_is_not_understood_removes_nobody(
    browser: Client, mixed: TargetListPage, query: str
) -> None:
    response = browser.post(url_of(mixed, f"remove/?{query}"), {"number": 10}, follow=True)

    assert "Nothing was done" in messages_of(response)
    assert mixed.members.count() == 10


def test_members_of_another_list_are_not_removed_through_this_one(
    browser: Client, mixed: TargetListPage
) -> None:
    other = a_target_list(a_contact())
    browser.post(url_of(mixed, f"remove/?id={other.members.get().pk}"), {"number": 1})
    browser.post(url_of(mixed, f"remove/?id={other.members.get().pk}"), {"number": 0})

    assert other.members.count() == 1
    assert mixed.members.count() == 10


def test_who_added_and_removed_is_in_the_history(browser: Client, submit: Submit, editor: Any) -> None:
    people, ada = a_target_list(), a_contact()
    submit(url_of(people, f"add/crm.contact/confirm/?id={ada.pk}"))
    submit(url_of(people, f"remove/?id={people.members.get().pk}"))
    entries = PageLogEntry.objects.filter(page_id=people.pk, action__startswith="massmail.").order_by("pk")
    history = browser.get(f"/admin/pages/{people.pk}/history/").content.decode()

    assert [(entry.action, entry.user, entry.data["number"]) for entry in entries] == [
        ("massmail.add_members", editor, 1),
        ("massmail.remove_members", editor, 1),
    ]
    assert "Added: 1 (Contacts)" in history
    assert "Removed 1 person" in history


def test_a_list_that_anybody_can_join_leads_to_its_public_page(browser: Client) -> None:
    people = a_target_list(title="Bicycle tips")
    way = f"/mail/list/{people.pk}/"
    assert way not in browser.get(url_of(people)).content.decode()
    TargetListPage.objects.filter(pk=people.pk).update(is_public=True)
    assert way in browser.get(url_of(people)).content.decode()
    TargetListPage.objects.filter(pk=people.pk).update(live=False)
    assert way not in browser.get(url_of(people)).content.decode()
