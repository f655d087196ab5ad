"""The listing of target lists, making one, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from wagtail.models import GroupPagePermission, PageLogEntry

from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage
from massmail_plugin.mailings.models import Run
from sandbox.crm.models import Lead
from sandbox.crm.staff import page_permission
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, a_user, contacts
from tests.integration.audience.conftest import messages_of

pytestmark = pytest.mark.django_db

LISTS = "/admin/target-lists/"
Submit = Callable[..., Any]


def shown(page: Any) -> dict[str, TargetListPage]:
    return {target_list.title: target_list for target_list in page.context["object_list"]}


def test_the_listing_counts_people_and_knows_the_last_mailing(browser: Client) -> None:
    used, unused = a_target_list(*contacts(3), title="Used"), a_target_list(title="Unused")
    for campaign in (a_campaign(used), a_campaign(used)):
        for year in (2024, 2025):
            Run.objects.create(
                mailing=a_mailing(campaign=campaign), started_at=datetime(year, 5, 1, tzinfo=UTC)
            )
    lists = shown(browser.get(LISTS))

    assert (lists["Used"].members_number, lists["Unused"].members_number) == (3, 0)
    assert lists["Used"].last_used == datetime(2025, 5, 1, tzinfo=UTC)
    assert lists["Unused"].last_used is None
    assert unused.pk == lists["Unused"].pk


@pytest.mark.parametrize("order", ["members_number", "last_used", "title", "latest_revision_created_at"])
def test_the_listing_sorts_by_each_of_its_columns(browser: Client, order: str) -> None:
    a_target_list(title="A")
    a_target_list(a_contact(), title="B")

    assert set(shown(browser.get(f"{LISTS}?ordering={order}"))) == {"A", "B"}
    if order == "members_number":
        assert list(shown(browser.get(f"{LISTS}?ordering=-members_number"))) == ["B", "A"]


def test_the_listing_finds_lists_by_a_part_of_their_title(browser: Client) -> None:
    a_target_list(title="Customers in Dublin")
    a_target_list(title="Prospects")

    assert set(shown(browser.get(f"{LISTS}?q=dubl"))) == {"Customers in Dublin"}


def test_the_queries_of_the_listing_do_not_grow_with_the_lists(browser: Client) -> None:
    def queries(url: str) -> int:
        browser.get(url)
        with CaptureQueriesContext(connection) as captured:
            browser.get(url)
        return len(captured)

    explorer = f"/admin/pages/{get_index_page().pk}/"
    a_target_list(a_contact())
    few = queries(LISTS), queries(explorer)
    for _ in range(12):
        a_target_list(a_contact(), a_contact())

    assert (queries(LISTS), queries(explorer)) == few


def test_the_page_explorer_shows_the_same_columns(browser: Client) -> None:
    a_target_list(*contacts(3), title="Customers")
    page = browser.get(f"/admin/pages/{get_index_page().pk}/")

    assert shown(page)["Customers"].members_number == 3
    assert "Last mailing" in page.content.decode()


def test_the_page_explorer_shows_folders_and_leads_into_them(browser: Client) -> None:
    folder = get_index_page().add_child(instance=TargetListIndexPage(title="Sales"))
    people = folder.add_child(instance=TargetListPage(title="Buyers"))
    above = browser.get(f"/admin/pages/{get_index_page().pk}/").content.decode()

    assert f'href="/admin/pages/{folder.pk}/"' in above
    assert f'href="{LISTS}{people.pk}/"' in browser.get(f"/admin/pages/{folder.pk}/").content.decode()


def form_fields(**fields: Any) -> dict[str, Any]:
    return {
        "title": "Customers",
        "description": "",
        "comments-TOTAL_FORMS": 0,
        "comments-INITIAL_FORMS": 0,
        **fields,
    }


def test_add_target_list_goes_straight_to_the_form_and_then_to_its_people(browser: Client) -> None:
    form = browser.get(f"{LISTS}choose_parent/")
    assert form.status_code == 302
    made = browser.post(form.url, form_fields(**{"action-publish": "action-publish"}), follow=True)
    people = TargetListPage.objects.get()

    assert made.redirect_chain[-1][0] == f"{LISTS}{people.pk}/"
    assert "Nobody is in this list yet." in made.content.decode()
    assert (people.title, people.live) == ("Customers", True)


def test_saving_what_autosave_has_stored_already_leads_to_the_people_too(browser: Client) -> None:
    url = f"/admin/pages/add/massmail_plugin/targetlistpage/{get_index_page().pk}/"
    stored = browser.post(url, form_fields(), headers={"Accept": "application/json"})
    people = TargetListPage.objects.get()
    fields = form_fields(title="Clients", **{"action-publish": "action-publish"})
    saved = browser.post(f"/admin/pages/{people.pk}/edit/", fields, follow=True)

    assert stored.json()["success"]
    assert saved.redirect_chain[-1][0] == f"{LISTS}{people.pk}/"
    assert messages_of(saved).strip() == "“Clients” is saved."


def test_a_project_without_a_folder_gets_one(client: Client) -> None:
    TargetListIndexPage.objects.all().delete()
    client.force_login(a_user("root", is_superuser=True))
    response = client.get(f"{LISTS}choose_parent/")

    folder = TargetListIndexPage.objects.get()
    assert response.url == f"/admin/pages/add/massmail_plugin/targetlistpage/{folder.pk}/"


def somebody_in_the_admin(*permissions: str) -> Any:
    user, group = a_user(), Group.objects.create(name="Others")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    group.permissions.add(*Permission.objects.filter(codename__in=permissions, content_type__app_label="crm"))
    user.groups.add(group)
    return user


@pytest.mark.parametrize("url", [LISTS, f"{LISTS}results/", f"{LISTS}choose_parent/"])
@pytest.mark.parametrize("has_folder", [True, False])
def test_who_has_no_page_permission_is_told_what_to_ask_for(
    client: Client, url: str, has_folder: bool
) -> None:
    a_target_list(title="Secret customers")
    if not has_folder:
        TargetListPage.objects.all().delete()
        TargetListIndexPage.objects.all().delete()
    client.force_login(somebody_in_the_admin())
    response = client.get(url)
    text = " ".join(response.content.decode().split())

    assert response.status_code == 403
    assert "Ask an administrator to give one of your groups the permissions “Add”, “Edit”" in text
    assert "Secret customers" not in text


@pytest.mark.parametrize("granted", [None, "change"])
def test_the_menu_leads_to_lists_whoever_works_with_them(client: Client, granted: str | None) -> None:
    user = somebody_in_the_admin("view_lead")
    if granted:
        grant(user, granted, a_target_list())
    client.force_login(user)

    assert ("target-lists" in client.get("/admin/").content.decode()) is bool(granted)


def test_the_menu_leads_an_editor_of_mailings_to_lists(browser: Client) -> None:
    assert "target-lists" in browser.get("/admin/").content.decode()


def grant(user: Any, action: str, page: Any) -> None:
    others = user.groups.get(name="Others")
    GroupPagePermission.objects.create(group=others, page_id=page.pk, permission=page_permission(action))


def changes(people: TargetListPage, lead: Lead) -> list[str]:
    start = f"{LISTS}{people.pk}/"
    member = people.members.get().pk
    return [
        f"{start}add/",
        f"{start}add/crm.lead/",
        f"{start}add/crm.lead/results/",
        f"{start}add/crm.lead/confirm/?id={lead.pk}",
        f"{start}remove/?id={member}",
    ]


def refused(client: Client, url: str) -> bool:
    """Return whether Wagtail sends the user away from ``url``, for GET and POST alike."""
    answers = [client.get(url), client.post(url, {"number": 1})]
    return all(answer.status_code == 302 and answer.url == "/admin/" for answer in answers)


def refused_to_scripts(client: Client, url: str) -> bool:
    headers = {"X-Requested-With": "XMLHttpRequest"}
    return (
        client.get(url, headers=headers).status_code == 403 == client.post(url, headers=headers).status_code
    )


@pytest.fixture
def lead(db: None) -> Lead:
    return Lead.objects.create(last_name="Lead", email="lead@example.org")


def test_without_any_permission_on_the_list_nothing_of_it_is_shown(client: Client, lead: Lead) -> None:
    people = a_target_list(a_contact())
    client.force_login(somebody_in_the_admin("view_lead", "view_contact"))

    for url in [f"{LISTS}{people.pk}/", f"{LISTS}{people.pk}/results/", *changes(people, lead)]:
        assert refused(client, url) or refused_to_scripts(client, url), url
    assert people.members.count() == 1


def test_who_may_only_publish_the_list_sees_its_people_and_cannot_change_them(
    client: Client, lead: Lead
) -> None:
    people = a_target_list(a_contact())
    user = somebody_in_the_admin("view_lead", "view_contact")
    grant(user, "publish", people)
    client.force_login(user)
    page = client.get(f"{LISTS}{people.pk}/")

    assert page.status_code == 200
    assert "/remove/" not in page.content.decode().replace(page.context["action_url"], "", 1)
    for url in changes(people, lead):
        assert refused(client, url), url
    assert people.members.count() == 1


def test_permission_on_one_list_is_none_on_another(client: Client, lead: Lead) -> None:
    mine, other = a_target_list(a_contact()), a_target_list(a_contact())
    user = somebody_in_the_admin("view_lead")
    grant(user, "change", mine)
    client.force_login(user)

    assert client.get(f"{LISTS}{mine.pk}/").status_code == 200
    for url in [f"{LISTS}{other.pk}/", *changes(other, lead)]:
        assert refused(client, url), url


def test_a_locked_list_is_shown_and_cannot_be_changed(browser: Client, lead: Lead) -> None:
    people = a_target_list(a_contact())
    TargetListPage.objects.filter(pk=people.pk).update(locked=True)

    assert browser.get(f"{LISTS}{people.pk}/").status_code == 200
    for url in changes(people, lead):
        assert refused(browser, url), url


def test_records_are_chosen_only_by_who_may_see_them(client: Client, lead: Lead) -> None:
    people = a_target_list()
    user = somebody_in_the_admin("view_contact", "add_lead", "delete_lead")
    grant(user, "change", people)
    client.force_login(user)

    assert client.get(f"{LISTS}{people.pk}/add/crm.contact/").status_code == 200
    for rest in ("", "results/", f"confirm/?id={lead.pk}", "confirm/?id=all"):
        assert refused(client, f"{LISTS}{people.pk}/add/crm.lead/{rest}"), rest
    assert not people.members.exists()


@pytest.mark.parametrize("rest", ["add/crm.supplier/", "add/auth.group/", "add/crm.supplier/confirm/?id=1"])
def test_what_is_no_recipient_type_is_not_found(browser: Client, rest: str) -> None:
    assert browser.get(f"{LISTS}{a_target_list().pk}/{rest}").status_code == 404


def test_a_list_that_does_not_exist_is_not_found(browser: Client) -> None:
    assert browser.get(f"{LISTS}999999/").status_code == 404


def test_anonymous_visitors_have_to_log_in(client: Client) -> None:
    people = a_target_list(a_contact())

    for url in (LISTS, f"{LISTS}{people.pk}/", f"{LISTS}{people.pk}/add/crm.contact/"):
        assert client.get(url).url.startswith("/admin/login/")


def test_the_form_has_a_title_a_description_and_no_clutter(browser: Client) -> None:
    people = a_target_list(*contacts(2))
    page = browser.get(f"/admin/pages/{people.pk}/edit/").content.decode()

    assert 'name="description"' in page
    assert "2 people are in this list." in page
    for clutter in (
        'name="slug"',
        "seo_title",
        "show_in_menus",
        "View live",
        "Unpublish",
        "Promote",
        'data-side-panel="preview"',
        "Visible to all",
        "Change privacy",
    ):
        assert clutter not in page, clutter


def test_saving_the_form_takes_effect_at_once(browser: Client) -> None:
    people = a_target_list(title="Before")
    fields = form_fields(title="After", **{"action-publish": "action-publish"})
    browser.post(f"/admin/pages/{people.pk}/edit/", fields)

    people.refresh_from_db()
    assert people.title == "After"
    assert PageLogEntry.objects.filter(page_id=people.pk, action="wagtail.publish").exists()


def test_a_copied_list_holds_the_same_people(browser: Client, editor: Any) -> None:
    people = a_target_list(a_contact(), Lead.objects.create(last_name="Lead", email="lead@example.org"))
    fields = {"new_title": "Copy", "new_slug": "copy", "new_parent_page": get_index_page().pk}
    browser.post(f"/admin/pages/{people.pk}/copy/", {**fields, "publish_copies": "on"})
    copy = TargetListPage.objects.get(title="Copy")

    records = people.members.values_list("recipient_type", "object_id")
    assert set(copy.members.values_list("recipient_type", "object_id")) == set(records)
    # Whoever has left the first list has not left the second.
    assert copy.consent_scope.key != people.consent_scope.key
