"""Roles of people in the admin, each with a logged-in client."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.builders import a_user, an_administrator, an_editor

SCREENS = ("campaign", "mailing", "senderaccount", "emailaddress")


def allow(user, *codenames):
    """Let ``user`` into the admin, with these permissions on our models."""
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin")
    )
    ours = Permission.objects.filter(content_type__app_label="massmail_plugin", codename__in=codenames)
    assert ours.count() == len(codenames)
    user.user_permissions.add(*ours)
    return user


def a_reader():
    """Somebody who may look at everything and change nothing."""
    return allow(a_user(), *(f"view_{name}" for name in SCREENS))


def an_author():
    """Somebody who writes mailings and may not send them."""
    written = [f"{verb}_{name}" for verb in ("view", "add", "change") for name in ("campaign", "mailing")]
    return allow(a_user(), *written)


def a_stranger():
    """Somebody who works in the admin and has nothing to do with mailings."""
    return allow(a_user())


ROLES = {
    "administrator": an_administrator,
    "editor": an_editor,
    "author": an_author,
    "reader": a_reader,
    "stranger": a_stranger,
}


@pytest.fixture
def signed_in() -> Callable[..., Client]:
    """Return a function that makes a logged-in client for a user."""

    def sign_in(user):
        client = Client()
        client.force_login(user)
        client.user = user
        return client

    return sign_in


@pytest.fixture
def editor(signed_in):
    return signed_in(an_editor())


@pytest.fixture
def administrator(signed_in):
    return signed_in(an_administrator())


def refused(response):
    """Return whether Wagtail refused: scripts get 403, people are led home with a message."""
    return response.status_code == 403 or (response.status_code == 302 and response["Location"] == "/admin/")


def messages_of(response):
    """Return the messages that the user sees next, as one text."""
    return " ".join(str(message) for message in response.context["messages"])


class Counting:
    """Counts the queries of one GET, after a first one has filled the caches."""

    def __init__(self, client, django_assert_num_queries=None):
        self.client = client

    def __call__(self, url):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        self.client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert self.client.get(url).status_code == 200
        return len(queries)
