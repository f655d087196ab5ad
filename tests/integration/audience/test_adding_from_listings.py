""" "Add to target list" under the CRM's own listings, and under Wagtail's users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from wagtail.models import GroupPagePermission

from massmail_plugin.audience.models import TargetListPage
from sandbox.crm.models import Lead
from tests.builders import a_target_list, a_user
from tests.integration.audience.conftest import LEADS, NEW, NEW_IN_DUBLIN, member_names, messages_of

pytestmark = pytest.mark.django_db

Submit = Callable[..., Any]
LISTING = "/admin/crm/lead/"


@pytest.fixture
def people(db: None) -> TargetListPage:
    return a_target_list(title="Prospects")


def action_url(query: str = "", *, listing: str = LISTING, model: str = "crm/lead", **changed: str) -> str:
    """Return the address that bulk-actions.js makes when everything in ``listing`` is selected."""
    there = f"{listing}?{query}" if query else listing
    return f"/admin/bulk/{model}/add_to_target_list/?{query}&{urlencode({'id': 'all', 'next': there, **changed})}"


def test_the_listing_has_boxes_to_tick_and_the_action(browser: Client, leads: list[Lead]) -> None:
    page = browser.get(LISTING).content.decode()

    assert page.count("data-bulk-action-checkbox") == LEADS
    assert "/admin/bulk/crm/lead/add_to_target_list/" in page
    assert "bulk-actions.js" in page
    assert 'aria-label="Select Lead No07"' in page


def test_results_that_are_fetched_alone_have_boxes_and_no_footer(browser: Client, leads: list[Lead]) -> None:
    results = browser.get(f"{LISTING}results/?status=new").content.decode()

    assert results.count("data-bulk-action-checkbox") == NEW
    assert "data-bulk-action-footer" not in results


def test_all_in_a_filtered_listing_means_the_filtered(
    submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    response = submit(action_url("status=new"), target_list=people.pk)

    assert member_names(people) == {("crm.lead", str(lead.pk)) for lead in leads[:NEW]}
    assert f"{NEW} added to “Prospects”" in messages_of(response)
    # Back to where the user was.
    assert response.redirect_chain[-1][0] == f"{LISTING}?status=new"


def test_filter_and_search_of_the_listing_narrow_together(
    submit: Submit, leads: list[Lead], people: TargetListPage
) -> None:
    submit(action_url("status=new&city=dublin&q=No0&p=1&ordering=-last_name"), target_list=people.pk)

    assert member_names(people) == {("crm.lead", str(lead.pk)) for lead in leads[:NEW_IN_DUBLIN]}


@pytest.mark.parametrize(
    "url",
    [
        action_url("statuss=new"),
        action_url("status=rubbish"),
        action_url("status=new&q=%00"),
        # The listing that the user saw and the one that the parameters describe are not the same.
        action_url("status=new", next=LISTING),
        action_url("", next=f"{LISTING}?status=new"),
        # No listing of leads.
        action_url("", listing="/admin/crm/contact/"),
        action_url("", listing="/admin/"),
        action_url("", listing="/admin/nowhere/"),
        action_url("", next=""),
        action_url("", next="https://elsewhere.example/admin/crm/lead/"),
    ],
)
def test_all_is_refused_wherever_it_is_not_certain_what_was_shown(
    browser: Client, leads: list[Lead], people: TargetListPage, url: str
) -> None:
    shown = browser.get(url)
    posted = browser.post(url, {"number": LEADS, "target_list": people.pk})

    assert shown.status_code == posted.status_code == 302
    assert not people.members.exists()


def test_the_refusal_tells_what_to_do(browser: Client, leads: list[Lead]) -> None:
    response = browser.get(action_url("statuss=new"), follow=True)

    assert "clear the filters" in messages_of(response)


def test_the_ticked_ones_are_added(submit: Submit, leads: list[Lead], people: TargetListPage) -> None:
    ids = f"id={leads[1].pk}&id={leads[2].pk}"
    submit(f"/admin/bulk/crm/lead/add_to_target_list/?{ids}&next={LISTING}", target_list=people.pk)

    assert member_names(people) == {("crm.lead", str(lead.pk)) for lead in leads[1:3]}


def test_a_new_list_is_made_on_the_way(submit: Submit, editor: Any, leads: list[Lead]) -> None:
    a_target_list()
    submit(action_url("status=new"), new_list="New leads")
    made = TargetListPage.objects.get(title="New leads")

    assert made.members.count() == NEW
    assert made.owner == editor


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Choose a list, or type"),
        ({"new_list": "   "}, "Choose a list, or type"),
        ({"new_list": "prospects"}, "There is a list with this name already"),
        ({"new_list": "x" * 256}, "at most 255 characters"),
        ({"target_list": "999999"}, "Select a valid choice"),
    ],
)
def test_a_form_that_is_not_right_adds_nobody_and_says_why(
    browser: Client, leads: list[Lead], people: TargetListPage, fields: dict[str, str], says: str
) -> None:
    before = TargetListPage.objects.count()
    page = browser.post(action_url("status=new"), {"number": NEW, **fields})

    assert says in page.content.decode()
    assert not people.members.exists()
    assert TargetListPage.objects.count() == before


def test_a_list_and_a_new_name_together_are_refused(
    browser: Client, leads: list[Lead], people: TargetListPage
) -> None:
    fields = {"number": NEW, "target_list": people.pk, "new_list": "Another"}

    assert "not both" in browser.post(action_url("status=new"), fields).content.decode()
    assert not people.members.exists()


def test_only_lists_that_the_user_may_edit_are_offered(
    browser: Client, leads: list[Lead], people: TargetListPage
) -> None:
    GroupPagePermission.objects.all().delete()
    page = browser.get(action_url("status=new"))
    posted = browser.post(action_url("status=new"), {"number": NEW, "target_list": people.pk})

    assert "Ask an administrator" in page.content.decode()
    assert "Prospects" not in page.content.decode()
    assert posted.status_code == 200
    assert not people.members.exists()


def test_a_locked_list_takes_nobody(browser: Client, leads: list[Lead], people: TargetListPage) -> None:
    people.locked = True
    people.save()
    page = browser.post(action_url("status=new"), {"number": NEW, "target_list": people.pk})

    assert "locked" in page.content.decode()
    assert not people.members.exists()


def test_who_may_not_see_leads_cannot_add_them(
    browser: Client, leads: list[Lead], people: TargetListPage
) -> None:
    Group.objects.get(name="Mail editors").permissions.remove(Permission.objects.get(codename="view_lead"))
    url = action_url("status=new", next="/admin/target-lists/")
    browser.post(url, {"number": NEW, "target_list": people.pk})
    browser.post(
        f"/admin/bulk/crm/lead/add_to_target_list/?id={leads[0].pk}", {"number": 1, "target_list": people.pk}
    )

    assert not people.members.exists()


@pytest.fixture
def user_manager(editor: Any) -> None:
    group = Group.objects.get(name="Mail editors")
    group.permissions.add(*Permission.objects.filter(codename__in=["change_user", "view_user"]))


def test_wagtails_own_listing_of_users_offers_it_too(
    user_manager: None, browser: Client, submit: Submit, people: TargetListPage
) -> None:
    ada = a_user("ada", first_name="Ada")
    a_user("bob", first_name="Bob")
    listing = browser.get("/admin/users/").content.decode()
    submit(action_url("q=ada", listing="/admin/users/", model="auth/user"), target_list=people.pk)

    assert "/admin/bulk/auth/user/add_to_target_list/" in listing
    assert ("auth.user", str(ada.pk)) in member_names(people)
    assert not {name for _type, name in member_names(people)} & {
        str(u.pk) for u in type(ada).objects.filter(username="bob")
    }


def test_who_may_not_be_mailed_is_counted_and_left_out(
    user_manager: None, browser: Client, submit: Submit, people: TargetListPage
) -> None:
    ada, bob = a_user("ada"), a_user("bob", is_active=False)
    url = f"/admin/bulk/auth/user/add_to_target_list/?id={ada.pk}&id={bob.pk}&next=/admin/users/"
    page = browser.get(url)
    submit(url, target_list=people.pk)

    assert (page.context["number"], page.context["left_out"]) == (1, 1)
    assert member_names(people) == {("auth.user", str(ada.pk))}
