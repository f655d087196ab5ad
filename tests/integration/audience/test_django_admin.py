"""“Add to target list” in Django's own admin, on a real changelist with filters, a search and several pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import include, path

from massmail_plugin import preferences
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.preferences import MailPreferences
from sandbox.crm.models import Lead
from tests.builders import a_target_list
from tests.integration.audience.conftest import LEADS, NEW, NEW_IN_DUBLIN

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [path("django-admin/", admin.site.urls), path("", include("sandbox.urls"))]

CHANGELIST = "/django-admin/crm/lead/"


@pytest.fixture
def editor(editor: Any) -> Any:
    """The sandbox's editor, who may enter Django's admin as well, and look at leads there."""
    type(editor).objects.filter(pk=editor.pk).update(is_staff=True)
    editor.user_permissions.add(Permission.objects.get(codename="view_donor"))
    return type(editor).objects.get(pk=editor.pk)


def select(browser: Client, query: str = "", *ticked: Any, everything: bool = False) -> Any:
    """Press "Go" on the changelist: with these boxes ticked, or with "Select all N leads" pressed as well."""
    data = {"action": "add_to_target_list", "index": 0, "select_across": int(everything)}
    return browser.post(f"{CHANGELIST}{query}", {**data, "_selected_action": [one.pk for one in ticked]})


def confirm(browser: Client, page: Any, query: str = "", **answer: Any) -> Any:
    """Send the form of the page that asks, as it stands, with an answer."""
    context = page.context
    data = {
        "action": context["action"],
        "_selected_action": context["ticked"],
        "select_across": context["select_across"],
        "number": context["number"],
        **answer,
    }
    return browser.post(f"{CHANGELIST}{query}", data, follow=True)


def test_ticked_records_go_into_a_list(browser: Client, leads: list[Lead]) -> None:
    people = a_target_list(title="Prospects")
    page = select(browser, "", leads[0], leads[1])
    done = confirm(browser, page, target_list=people.pk)

    assert "Selected: 2 (Leads)" in page.content.decode()
    assert people.members.count() == 2
    assert "2 added to “Prospects”." in done.content.decode()
    assert done.redirect_chain[-1][0] == CHANGELIST


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", LEADS),
        ("?status__exact=new", NEW),
        ("?status__exact=new&city=Dublin", NEW_IN_DUBLIN),
        ("?q=No07", 1),
        ("?status__exact=new&p=2", NEW),
    ],
)
def test_everything_is_what_the_filters_leave_on_all_pages(
    browser: Client, leads: list[Lead], query: str, expected: int
) -> None:
    people = a_target_list(title="Prospects")
    shown = leads[7] if "q=" in query else leads[0]
    page = select(browser, query, shown, everything=True)
    confirm(browser, page, query, target_list=people.pk)

    assert page.context["number"] == expected
    assert people.members.count() == expected


def test_a_new_list_can_be_named(browser: Client, leads: list[Lead]) -> None:
    confirm(browser, select(browser, "", leads[0]), new_list="Fresh")

    assert TargetListPage.objects.get(title="Fresh").members.count() == 1


def test_a_selection_that_has_grown_is_asked_again(browser: Client, leads: list[Lead]) -> None:
    people = a_target_list(title="Prospects")
    page = select(browser, "", leads[0], everything=True)
    Lead.objects.create(last_name="Newcomer", email="n@example.org")
    again = confirm(browser, page, target_list=people.pk)

    assert "The selection has changed meanwhile" in again.content.decode()
    assert not people.members.exists()
    confirm(browser, again, target_list=people.pk)
    assert people.members.count() == LEADS + 1


def test_without_an_answer_nothing_is_added(browser: Client, leads: list[Lead]) -> None:
    people = a_target_list(title="Prospects")
    again = confirm(browser, select(browser, "", leads[0]))

    assert "Choose a list, or type the name of a new one." in again.content.decode()
    assert not people.members.exists()


def test_other_peoples_records_are_left_out(browser: Client, editor: Any, leads: list[Lead]) -> None:
    chosen = preferences.load()
    chosen.whose_records = MailPreferences.WhoseRecords.OWN
    chosen.save()
    Lead.objects.filter(pk=leads[0].pk).update(assigned_to=editor)
    page = select(browser, "", leads[0], leads[1])

    assert page.context["number"] == 1
    assert "1 more was selected that may not be mailed." in page.content.decode()


def test_the_action_is_offered_to_whom_it_is_of_use(browser: Client, editor: Any, leads: list[Lead]) -> None:
    assert "add_to_target_list" in browser.get(CHANGELIST).content.decode()
    # No recipient type.
    assert "add_to_target_list" not in browser.get("/django-admin/host/donor/").content.decode()
    editor.groups.clear()
    editor.user_permissions.add(Permission.objects.get(codename="view_lead"))
    assert "add_to_target_list" not in browser.get(CHANGELIST).content.decode()


def test_who_may_not_look_at_the_records_adds_none(client: Client, editor: Any, leads: list[Lead]) -> None:
    editor.groups.clear()
    client.force_login(editor)

    assert select(client, "", leads[0]).status_code == 403


def test_names_in_a_list_lead_to_the_records_in_djangos_admin(
    browser: Client, editor: Any, leads: list[Lead], monkeypatch: pytest.MonkeyPatch
) -> None:
    from wagtail.admin.admin_url_finder import AdminURLFinder

    monkeypatch.setattr(AdminURLFinder, "get_edit_url", lambda self, record: None)
    people = a_target_list(leads[0])
    link = f'href="{CHANGELIST}{leads[0].pk}/change/"'

    assert link in browser.get(f"/admin/target-lists/{people.pk}/").content.decode()
    type(editor).objects.filter(pk=editor.pk).update(is_staff=False)
    assert link not in browser.get(f"/admin/target-lists/{people.pk}/").content.decode()
