"""The CRM's screens, as a limited editor sees them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sandbox.crm.models import Account, Contact
from sandbox.crm.people import load_people
from sandbox.crm.staff import load_staff

pytestmark = pytest.mark.django_db

LISTINGS = ["account", "contact", "lead", "ticket"]


@pytest.fixture
def editor(client: Client) -> Client:
    load_people(load_staff())
    client.force_login(get_user_model().objects.get(username="editor"))
    return client


def page(client: Client, name: str, **query: str) -> Any:
    response = client.get(reverse(f"{name}:index"), query)
    assert response.status_code == 200
    return response


@pytest.mark.parametrize("name", LISTINGS)
def test_an_editor_may_look_at_every_listing(editor: Client, name: str) -> None:
    assert page(editor, name).context_data["object_list"]


def test_an_editor_may_not_change_the_crm(editor: Client) -> None:
    contact = Contact.objects.all()[0]

    for url in (reverse("contact:add"), reverse("contact:edit", args=[contact.pk])):
        assert editor.get(url).status_code == 302
        assert editor.post(url, {"last_name": "Changed"}).status_code == 302
    contact.refresh_from_db()
    assert contact.last_name != "Changed"


def test_hostile_names_are_shown_as_text(editor: Client) -> None:
    html = page(editor, "contact", tags="awkward").content.decode()

    assert "&lt;script&gt;alert(&#x27;hello&#x27;)&lt;/script&gt;" in html
    assert "<script>alert('hello')" not in html


def test_filters_and_search_narrow_the_listing(editor: Client) -> None:
    found = page(editor, "contact", city="dublin", q="twin").context_data["object_list"]

    assert {contact.last_name for contact in found} == {"Twin", "TWIN", "Twin-Spaced"}


@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing_asks_no_more_for_fifty_rows_than_for_two(editor: Client, name: str) -> None:
    page(editor, name)  # warms caches
    with CaptureQueriesContext(connection) as few:
        page(editor, name, city="dublin", q="ma")
    with CaptureQueriesContext(connection) as many:
        page(editor, name)

    assert len(many) <= len(few) + 3


def test_records_are_chosen_in_a_dialog_with_a_search(client: Client) -> None:
    load_people(load_staff())
    client.force_login(get_user_model().objects.get(username="admin"))
    account = Account.objects.order_by("import_key")[0]

    response = client.get(reverse("account_chooser:choose_results"), {"q": account.name})

    assert response.status_code == 200
    assert account.name.replace("&", "&amp;") in response.content.decode()
    assert "No accounts match" not in response.content.decode()
