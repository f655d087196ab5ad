"""While the database is away, whoever follows a link of a mail reads a sentence and not a crash."""

import contextlib

import pytest
from django.db import InterfaceError, OperationalError, connection

from massmail_plugin.feedback.views import outage
from massmail_plugin.recipients.models import ConsentEvent

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@contextlib.contextmanager
def an_outage(error):
    def refuse(*arguments):
        raise error

    with connection.execute_wrapper(refuse):
        yield


@pytest.mark.parametrize(
    "error", [OperationalError("database is locked"), InterfaceError("connection closed")]
)
@pytest.mark.parametrize(
    ("url", "posted"),
    [
        ("opt_out_url", None),
        ("opt_out_url", {"wish": "these"}),
        ("one_click_url", None),
        ("one_click_url", ONE_CLICK),
        ("click_url", None),
        ("view_url", None),
    ],
)
def test_f30_a_public_page_says_that_it_works_again_soon(client, sent, url, posted, error):
    address = getattr(sent, url)()
    with an_outage(error):
        response = client.get(address) if posted is None else client.post(address, posted)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "try the same link again" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert str(error) not in response.content.decode()
    assert not ConsentEvent.objects.exists()
    assert client.get(address).status_code in (200, 302)


def test_f30_a_frame_of_the_project_s_own_that_asks_the_database_does_not_spoil_it(client, sent, monkeypatch):
    def frame(*arguments, **options):
        return str(ConsentEvent.objects.count())

    monkeypatch.setattr(outage, "render_to_string", frame)
    with an_outage(OperationalError("gone")):
        response = client.get(sent.opt_out_url())
    assert (response.status_code, response["Content-Type"]) == (503, "text/plain; charset=utf-8")
    assert "try the same link again" in response.content.decode()


def test_f30_a_picture_is_a_picture_all_the_same(client, sent):
    with an_outage(InterfaceError("connection closed")):
        response = client.get(sent.open_url())
    assert (response.status_code, response["Content-Type"]) == (200, "image/gif")


def test_f30_a_transaction_around_each_request_does_not_hide_it(client, sent, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with an_outage(OperationalError("gone")):
        assert client.get(sent.click_url()).status_code == 503
