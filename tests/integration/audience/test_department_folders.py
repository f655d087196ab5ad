"""Lists in departments: folders in the folder of target lists, with Wagtail's own page permissions."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.http import Http404
from django.test import Client, RequestFactory
from wagtail.models import GroupPagePermission

from massmail_plugin.admin.target_lists.permissions import changeable_lists, lists_to_look_at
from massmail_plugin.audience.members import add_members, get_index_page
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage
from massmail_plugin.recipients import for_model
from sandbox.crm.models import Contact
from sandbox.crm.staff import page_permission
from tests.builders import a_campaign, a_contact, a_user

pytestmark = pytest.mark.django_db

LISTS = "/admin/target-lists/"
DENIED = (302, 403)


def a_folder(title: str, *groups: Group) -> TargetListIndexPage:
    folder: TargetListIndexPage = get_index_page().add_child(instance=TargetListIndexPage(title=title))
    for group in groups:
        for action in ("add", "change", "publish"):
            GroupPagePermission.objects.create(
                group=group, page_id=folder.pk, permission=page_permission(action)
            )
    return folder


def a_list_in(folder: TargetListIndexPage, title: str) -> TargetListPage:
    people: TargetListPage = folder.add_child(instance=TargetListPage(title=title))
    contacts = for_model(Contact)
    assert contacts is not None
    add_members(people, contacts, [a_contact().pk])
    return people


@pytest.fixture
def lists(db: None) -> dict[str, TargetListPage]:
    """A list of each department's, one in the folder of both, and one that only administrators see."""
    sales, support = Group.objects.create(name="Sales"), Group.objects.create(name="Support")
    return {
        "Sales": a_list_in(a_folder("Sales", sales), "Buyers"),
        "Support": a_list_in(a_folder("Support", support), "Complaints"),
        "both": a_list_in(a_folder("Everybody", sales, support), "Customers"),
        "nobody": a_list_in(get_index_page(), "Board"),
    }


@pytest.fixture
def nora(lists: dict[str, TargetListPage]) -> Any:
    nora = a_user("nora")
    sales = Group.objects.get(name="Sales")
    sales.permissions.add(
        Permission.objects.get(codename="access_admin"),
        *Permission.objects.filter(codename__in=["add_campaign", "change_campaign", "view_contact"]),
    )
    nora.groups.add(sales)
    return nora


@pytest.fixture
def browser(client: Client, nora: Any) -> Client:
    client.force_login(nora)
    return client


def test_people_see_the_lists_of_their_departments_folders(nora: Any) -> None:
    expected = ["Buyers", "Customers"]

    assert sorted(lists_to_look_at(nora).values_list("title", flat=True)) == expected
    assert list(changeable_lists(nora).values_list("title", flat=True)) == expected


def test_the_listing_shows_them_with_their_folders(browser: Client, lists: dict[str, TargetListPage]) -> None:
    page = browser.get(LISTS)
    text = page.content.decode()

    assert {one.title for one in page.context["object_list"]} == {"Buyers", "Customers"}
    assert "In Sales" in text
    assert "Complaints" not in text


def test_no_page_of_another_departments_list_answers(
    browser: Client, lists: dict[str, TargetListPage]
) -> None:
    for name in ("Support", "nobody"):
        pk = lists[name].pk
        for url in (
            f"{LISTS}{pk}/",
            f"{LISTS}{pk}/add/",
            f"/admin/pages/{pk}/edit/",
            f"/admin/pages/{pk}/delete/",
        ):
            assert browser.get(url).status_code in DENIED, url
    assert browser.get(f"{LISTS}{lists['Sales'].pk}/").status_code == 200


def test_a_campaign_may_use_them_and_no_others(browser: Client, lists: dict[str, TargetListPage]) -> None:
    form = browser.get("/admin/massmail/campaigns/new/").context["form"]

    assert {one.title for one in form.fields["target_lists"].queryset} == {"Buyers", "Customers"}


def test_a_new_list_is_made_in_a_folder_of_ones_own(
    browser: Client, lists: dict[str, TargetListPage]
) -> None:
    """Two folders to choose from: Wagtail asks in which."""
    url = f"{LISTS}choose_parent/"
    sales, support = (lists[name].get_parent().pk for name in ("Sales", "Support"))

    assert browser.get(url).status_code == 200
    assert browser.post(url, {"parent_page": sales}).url.endswith(f"/targetlistpage/{sales}/")
    assert "parent_page" in browser.post(url, {"parent_page": support}).context["form"].errors


def test_selected_people_go_into_a_new_list_in_a_folder_of_ones_own(
    browser: Client, lists: dict[str, TargetListPage]
) -> None:
    contact = a_contact()
    url = f"/admin/bulk/crm/contact/add_to_target_list/?id={contact.pk}&next=/admin/crm/contact/"
    form = browser.get(url).context["form"]
    folders = {one.title: one.pk for one in form.fields["folder"].queryset}
    browser.post(url, {"number": 1, "new_list": "Fresh", "folder": folders["Sales"]})
    foreign = TargetListIndexPage.objects.get(title="Support")
    refused = browser.post(url, {"number": 1, "new_list": "Sneaky", "folder": foreign.pk})

    assert set(folders) == {"Sales", "Everybody"}
    assert TargetListPage.objects.get(title="Fresh").get_parent().title == "Sales"
    assert "folder" in refused.context["form"].errors
    assert not TargetListPage.objects.filter(title="Sneaky").exists()


def test_who_has_no_folder_is_told_whom_to_ask(client: Client, lists: dict[str, TargetListPage]) -> None:
    user = a_user()
    user.user_permissions.add(Permission.objects.get(codename="access_admin"))
    client.force_login(user)

    assert client.get(LISTS).status_code == 403


def test_a_folder_with_a_list_in_use_is_kept(client: Client, lists: dict[str, TargetListPage]) -> None:
    client.force_login(a_user("root", is_superuser=True))
    a_campaign(lists["Sales"])
    folder = lists["Sales"].get_parent()
    answer = client.post(f"/admin/pages/{folder.pk}/delete/", follow=True)

    assert "“Buyers” is kept" in answer.content.decode()
    assert TargetListPage.objects.filter(pk=lists["Sales"].pk).exists()


def test_folders_are_as_private_as_the_first_one(
    rf: RequestFactory, lists: dict[str, TargetListPage]
) -> None:
    folder: Any = lists["Sales"].get_parent().specific

    with pytest.raises(Http404):
        folder.serve(rf.get("/"))
    assert folder.url is None
    assert folder.get_sitemap_urls(rf.get("/")) == []
    assert get_index_page().get_parent().is_root()
