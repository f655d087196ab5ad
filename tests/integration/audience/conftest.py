"""An editor at the screens of target lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from massmail_plugin.audience.models import TargetListPage
from sandbox.crm.models import Lead
from tests.builders import an_editor

#: Fifty leads of which 25 are new and 25 are qualified; ten of the new ones live in Dublin.
LEADS, NEW, NEW_IN_DUBLIN = 50, 25, 10


@pytest.fixture
def editor(db: None) -> Any:
    return an_editor()


@pytest.fixture
def browser(client: Client, editor: Any) -> Client:
    """Return a client that is logged in as the sandbox's editor, who may only look at the CRM."""
    client.force_login(editor)
    return client


@pytest.fixture
def leads(db: None) -> list[Lead]:
    return Lead.objects.bulk_create(
        Lead(
            first_name="Lead",
            last_name=f"No{number:02}",
            email=f"lead{number}@example.org",
            status=Lead.Status.NEW if number < NEW else Lead.Status.QUALIFIED,
            city="Dublin" if number < NEW_IN_DUBLIN or number >= LEADS - 5 else "Cork",
        )
        for number in range(LEADS)
    )


@pytest.fixture
def submit(browser: Client) -> Callable[..., Any]:
    """Return a function that confirms what the page at a URL asks, as its form stands, and follows the redirect."""

    def confirm(url: str, **fields: Any) -> Any:
        shown = browser.get(url)
        assert shown.status_code == 200, f"{url} answered {shown.status_code}"
        number = shown.context["number"]
        return browser.post(url, {"number": number, **fields}, follow=True)

    return confirm


def member_names(target_list: TargetListPage) -> set[tuple[str, str]]:
    """Return (type, object id) of all members."""
    return set(target_list.members.values_list("recipient_type", "object_id"))


def messages_of(response: Any) -> str:
    """Return what the page tells the user."""
    return " ".join(str(message) for message in response.context["messages"])
