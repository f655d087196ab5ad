"""The sandbox's users: they can log in, and an editor's rights are limited."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import call_command

from massmail_plugin.admin.access import reachable
from massmail_plugin.admin.target_lists.permissions import lists_to_look_at
from massmail_plugin.audience.members import get_index_page
from massmail_plugin.mailings.models import Campaign
from sandbox.crm.staff import load_staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def staff() -> None:
    load_staff()


def user(name: str) -> AbstractBaseUser:
    return get_user_model().objects.get(username=name)


@pytest.mark.parametrize("name", ["admin", "editor", "nora", "tom"])
def test_everybody_logs_in_with_their_name_as_password(name: str) -> None:
    assert authenticate(username=name, password=name) == user(name)


def test_loading_again_keeps_a_changed_password() -> None:
    admin = user("admin")
    admin.set_password("something better")
    admin.save()

    load_staff()

    assert authenticate(username="admin", password="something better") == user("admin")


def test_an_editor_mails_but_deletes_nothing() -> None:
    permissions = user("editor").get_all_permissions()
    mail = {permission for permission in permissions if permission.startswith("massmail_plugin.")}

    assert {"massmail_plugin.send_mailing", "massmail_plugin.change_emailtemplate"} <= mail
    assert "wagtailadmin.access_admin" in permissions
    assert not [permission for permission in mail if ".delete_" in permission]
    assert {permission for permission in permissions if permission.startswith("crm.")} == {
        "crm.view_account",
        "crm.view_contact",
        "crm.view_lead",
        "crm.view_ticket",
    }


def test_each_department_sees_its_own_campaign_and_lists() -> None:
    call_command("load_sandbox", verbosity=0)
    call_command("load_sandbox", verbosity=0)

    for name, own in (("nora", "Sales"), ("tom", "Support"), ("editor", "")):
        campaigns = reachable(user(name), Campaign).exclude(department=None)
        lists = lists_to_look_at(user(name)).filter(title__endswith="our customers")
        assert [str(one.department) for one in campaigns] == ([own] if own else [])
        # Editors work with the lists of all departments.
        assert lists.count() == (1 if own else 2)


def test_an_editor_edits_target_lists_and_no_other_page() -> None:
    lists = get_index_page()
    editor = user("editor")

    assert lists.permissions_for_user(editor).can_add_subpage()
    assert not lists.get_parent().permissions_for_user(editor).can_add_subpage()
