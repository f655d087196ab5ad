""" "Add people": exactly those who were on the screen come into the list, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_filters
import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from massmail_plugin import recipients
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients import RecipientType, registry
from sandbox.crm.models import Contact, Lead
from tests.builders import a_target_list, contacts
from tests.integration.audience.conftest import LEADS, NEW, NEW_IN_DUBLIN, member_names, messages_of

pytestmark = pytest.mark.django_db

Submit = Callable[..., Any]


@pytest.fixture
def people(db: None) -> TargetListPage:
    return a_target_list(title="Prospects")


def confirm_url(people: TargetListPage, query: str, key: str = "crm.lead") -> str:
    return f"/admin/target-lists/{people.pk}/add/{key}/confirm/?{query}"


def test_all_filtered_means_the_filtered_and_nobody_else(
    submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    response = submit(confirm_url(people, "status=new&id=all"))

    assert member_names(people) == {("crm.lead", str(lead.pk)) for lead in leads[:NEW]}
    assert f"{NEW} added to “Prospects”" in messages_of(response)


def test_filter_and_search_narrow_together(submit: Submit, leads: list[Lead], people: TargetListPage) -> None:
    # Both words must occur: "no0" is in ten names, and "lead" in all.
    submit(confirm_url(people, "status=new&city=dublin&q=no0+lead&id=all"))

    assert member_names(people) == {("crm.lead", str(lead.pk)) for lead in leads[:NEW_IN_DUBLIN]}


def test_a_search_alone_narrows(submit: Submit, leads: list[Lead], people: TargetListPage) -> None:
    submit(confirm_url(people, "q=lead1%40example.org&id=all"))

    assert member_names(people) == {("crm.lead", str(leads[1].pk))}


def test_the_page_and_the_order_that_were_shown_do_not_narrow(
    submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    submit(confirm_url(people, "status=new&p=2&ordering=-name&_w_filter_fragment=1&id=all"))

    assert people.members.count() == NEW


def test_without_filters_everything_is_everything(
    submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    submit(confirm_url(people, "status=&city=&q=&id=all"))

    assert people.members.count() == LEADS


def test_the_confirmation_says_the_number(browser: Client, leads: list[Lead], people: TargetListPage) -> None:
    page = browser.get(confirm_url(people, "status=new&id=all"))

    assert page.context["number"] == NEW
    assert f"Selected: {NEW} (Leads)" in page.content.decode()
    assert not people.members.exists()


def test_a_selection_that_has_grown_since_is_asked_about_again(
    browser: Client, leads: list[Lead], people: TargetListPage
) -> None:
    url = confirm_url(people, "status=new&id=all")
    Lead.objects.create(last_name="Late", email="late@example.org", status=Lead.Status.NEW)
    page = browser.post(url, {"number": NEW})

    assert not people.members.exists()
    assert f"it is {NEW + 1} now" in page.content.decode()
    # What it asks now can be confirmed as it stands.
    assert page.context["form"]["number"].value() == str(NEW + 1)


@pytest.mark.parametrize(
    "query",
    [
        "statuss=new&id=all",
        "status=new&country__iexact=Ireland&id=all",
        "status__in=new&id=all",
        "status=no-such-status&id=all",
        "assigned_to=999999&id=all",
        "assigned_to=nobody&id=all",
        "status=new&is_vip=perhaps&id=all",
        "status=new&q=%00&id=all",
        "status=new&p=1&page=3&id=all",
        "STATUS=new&id=all",
        "status%20=new&id=all",
    ],
)
def test_a_listing_that_was_not_fully_understood_selects_nobody(
    browser: Client, leads: list[Lead], people: TargetListPage, query: str
) -> None:
    url = confirm_url(people, query)
    shown = browser.get(url, follow=True)
    posted = browser.post(url, {"number": LEADS}, follow=True)

    assert "Nothing was done" in messages_of(shown)
    assert "Nothing was done" in messages_of(posted)
    assert not people.members.exists()


class RangeFilterSet(django_filters.FilterSet):
    """Filters that read from names of their own."""

    created = django_filters.DateFromToRangeFilter(field_name="created_at")
    vip = django_filters.BooleanFilter(field_name="is_vip")
    several = django_filters.MultipleChoiceFilter(field_name="status", choices=Lead.Status.choices)

    class Meta:
        model = Lead
        fields: list[str] = []


class RangedLeads(RecipientType):
    name = "full_name"
    filterset_class = RangeFilterSet


@pytest.fixture
def ranged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._types, "crm.lead", RangedLeads(Lead))


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("created_after=2001-01-01&created_before=2001-12-31", 0),
        ("created_after=2001-01-01&created_before=", LEADS),
        ("vip=true", 0),
        ("vip=false", LEADS),
        ("vip=unknown", LEADS),
        ("several=new&several=lost", NEW),
    ],
)
def test_filters_with_other_parameter_names_are_understood(
    ranged: None, browser: Client, leads: list[Lead], people: TargetListPage, query: str, number: int
) -> None:
    assert browser.get(confirm_url(people, f"{query}&id=all")).context["number"] == number


@pytest.mark.parametrize(
    "query", ["created=2001-01-01", "created_after=soon", "vip=perhaps", "several=new&several=rubbish"]
)
def test_their_mistakes_are_refused(
    ranged: None, browser: Client, leads: list[Lead], people: TargetListPage, query: str
) -> None:
    response = browser.get(confirm_url(people, f"{query}&id=all"), follow=True)

    assert "Nothing was done" in messages_of(response)


def test_the_ticked_ones_come_into_the_list(
    submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    submit(confirm_url(people, f"id={leads[3].pk}&id={leads[30].pk}"))

    assert member_names(people) == {("crm.lead", str(leads[3].pk)), ("crm.lead", str(leads[30].pk))}


def test_who_is_in_the_list_already_is_counted(
    submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    submit(confirm_url(people, "status=new&city=dublin&id=all"))
    response = submit(confirm_url(people, "status=new&id=all"))

    expected = f"{NEW - NEW_IN_DUBLIN} added to “Prospects”, {NEW_IN_DUBLIN} were already in the list."
    assert expected in messages_of(response)


@pytest.mark.parametrize("object_id", ["999999", "x", "1 OR 1=1", "9" * 40, ""])
def test_what_is_no_lead_is_refused_with_the_others(
    browser: Client, leads: list[Lead], people: TargetListPage, object_id: str
) -> None:
    url = confirm_url(people, f"id={leads[0].pk}&id={object_id}")
    response = browser.post(url, {"number": 2}, follow=True)

    assert response.redirect_chain
    assert not people.members.exists()
    assert "again" in messages_of(response)


def test_the_number_of_another_models_record_adds_no_lead(
    browser: Client, leads: list[Lead], people: TargetListPage
) -> None:
    contact = Contact.objects.create(pk=max(lead.pk for lead in leads) + 500, email="c@example.org")
    browser.post(confirm_url(people, f"id={contact.pk}"), {"number": 1})

    assert not people.members.exists()


def test_nobody_ticked_is_said(browser: Client, people: TargetListPage) -> None:
    assert "Nobody is selected" in messages_of(browser.get(confirm_url(people, ""), follow=True))


class OwnLeads(RecipientType):
    name = "full_name"

    def choosable_by(self, user: Any) -> Any:
        return self.get_queryset().filter(city="Cork")


def test_only_records_that_the_user_may_choose_are_shown_and_added(
    monkeypatch: pytest.MonkeyPatch,
    browser: Client,
    submit: Submit,
    leads: list[Lead],
    people: TargetListPage,
) -> None:
    monkeypatch.setitem(registry._types, "crm.lead", OwnLeads(Lead))
    cork = [lead for lead in leads if lead.city == "Cork"]
    dublin = leads[0]
    page = browser.get(f"/admin/target-lists/{people.pk}/add/crm.lead/")
    submit(confirm_url(people, f"id={dublin.pk}&id={cork[0].pk}"))

    assert page.context["items_count"] == len(cork)
    assert member_names(people) == {("crm.lead", str(cork[0].pk))}
    submit(confirm_url(people, "id=all"))
    assert people.members.count() == len(cork)


def test_the_listing_shows_the_filtered_and_offers_all_of_them(
    browser: Client, leads: list[Lead], people: TargetListPage
) -> None:
    page = browser.get(f"/admin/target-lists/{people.pk}/add/crm.lead/?status=new").content.decode()

    assert f"Select all {NEW} records found" in page
    assert "No24" in page
    assert "No25" not in page


def test_an_invalid_filter_shows_nobody_rather_than_everybody(
    browser: Client, leads: list[Lead], people: TargetListPage
) -> None:
    page = browser.get(f"/admin/target-lists/{people.pk}/add/crm.lead/?status=rubbish")

    assert page.context["items_count"] == 0


def test_the_listing_says_who_is_in_the_list_already(
    browser: Client, submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    submit(confirm_url(people, "status=new&city=dublin&id=all"))
    page = browser.get(f"/admin/target-lists/{people.pk}/add/crm.lead/").content.decode()

    assert page.count("Already in") == NEW_IN_DUBLIN


def test_the_queries_of_the_listing_do_not_grow_with_its_rows(
    browser: Client, people: TargetListPage
) -> None:
    def queries(key: str) -> int:
        url = f"/admin/target-lists/{people.pk}/add/{key}/"
        browser.get(url)
        with CaptureQueriesContext(connection) as captured:
            browser.get(url)
        return len(captured)

    contacts(2)
    few = queries("crm.contact")
    contacts(300)

    assert queries("crm.contact") == few


def test_adding_people_begins_with_a_type_that_the_user_may_see(
    browser: Client, editor: Any, people: TargetListPage
) -> None:
    permissions = Group.objects.get(name="Mail editors").permissions
    permissions.remove(*Permission.objects.filter(codename__in=["view_account", "view_contact"]))
    page = browser.get(f"/admin/target-lists/{people.pk}/add/", follow=True)
    labels = [label for _url, label, _current in page.context["types"]]

    assert page.status_code == 200
    assert labels == ["Leads", "Tickets", "Subscribers"]


def test_who_may_see_nobody_is_told_what_to_ask_for(browser: Client, people: TargetListPage) -> None:
    Group.objects.get(name="Mail editors").permissions.remove(
        *Permission.objects.filter(codename__startswith="view_"),
        *Permission.objects.filter(codename="change_subscriber"),
    )
    page = browser.get(f"/admin/target-lists/{people.pk}/add/")

    assert "Ask an administrator" in page.content.decode()


def test_a_project_without_recipient_types_is_told_so(
    monkeypatch: pytest.MonkeyPatch, browser: Client, people: TargetListPage
) -> None:
    monkeypatch.setattr(registry, "_types", {})

    assert recipients.all_types() == []
    assert "massmail.py" in browser.get(f"/admin/target-lists/{people.pk}/add/").content.decode()
