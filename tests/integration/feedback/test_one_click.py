"""RFC 8058: what mail programs post, and what must not be taken for it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.recipients.models import ConsentEvent, ListOptOut
from tests.builders import an_administrator
from tests.integration.feedback.conftest import Sent

PAIR = {"List-Unsubscribe": "One-Click"}
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
def mail_program() -> Client:
    return Client(enforce_csrf_checks=True)


def has_left(sent: Sent) -> bool:
    left = ListOptOut.objects.filter(address=sent.address).values_list("scope", flat=True)
    return set(left) == set(sent.run.list_scopes)


@pytest.mark.parametrize("content_type", [URLENCODED, "multipart/form-data"])
def test_one_post_is_enough(mail_program: Client, sent: Sent, content_type: str) -> None:
    if content_type == URLENCODED:
        response = mail_program.post(
            sent.one_click_url(), "List-Unsubscribe=One-Click", content_type=content_type
        )
    else:
        response = mail_program.post(sent.one_click_url(), PAIR)
    assert response.status_code == 200
    assert not response.cookies
    assert "Location" not in response
    assert has_left(sent)
    assert {event.method for event in ConsentEvent.objects.all()} == {ConsentEvent.Method.ONE_CLICK}
    assert sent.kinds() == ["opted_out"]


def test_posting_again_changes_nothing(mail_program: Client, sent: Sent) -> None:
    for _ in range(3):
        assert mail_program.post(sent.one_click_url(), PAIR).status_code == 200
    assert ConsentEvent.objects.count() == 2, "One for each list."
    assert DeliveryEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("", URLENCODED),
        ("List-Unsubscribe=", URLENCODED),
        ("List-Unsubscribe=Two-Click", URLENCODED),
        ("one-click=1", URLENCODED),
        ('{"List-Unsubscribe": "One-Click"}', "application/json"),
        ("List-Unsubscribe=One-Click", "text/plain"),
    ],
)
def test_a_post_without_the_pair_is_not_taken_for_a_wish(
    mail_program: Client, sent: Sent, body: str, content_type: str
) -> None:
    response = mail_program.post(sent.one_click_url(), body, content_type=content_type)
    assert response.status_code == 400, "Nobody may believe that it is done."
    assert f'action="{sent.opt_out_url()}"' in response.content.decode(), (
        "The button of the page still works."
    )
    assert not ConsentEvent.objects.exists()


def test_broken_bodies_are_refused(mail_program: Client, sent: Sent) -> None:
    for body in (b"--x\r\nContent-Disposition: form-data", b"\xff\xfe" * 1000):
        url = sent.one_click_url()
        response = mail_program.post(url, body, content_type="multipart/form-data; boundary=x")
        assert response.status_code == 400
    assert mail_program.post(url, PAIR | {"x": "y" * 200_000}).status_code == 413
    assert not ConsentEvent.objects.exists()


def test_looking_at_the_address_shows_the_page(mail_program: Client, sent: Sent) -> None:
    response = mail_program.get(sent.one_click_url() + "?List-Unsubscribe=One-Click")
    assert response.status_code == 200
    assert f'action="{sent.opt_out_url()}"' in response.content.decode()
    assert mail_program.head(sent.one_click_url()).status_code == 200
    assert not ConsentEvent.objects.exists()


def test_it_acts_on_its_own_address_only_whoever_is_logged_in(sent: Sent) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(an_administrator())
    headers = {"origin": "https://evil.example", "referer": "https://evil.example/"}
    assert browser.post(sent.one_click_url(), PAIR, headers=headers).status_code == 200
    assert set(ConsentEvent.objects.values_list("address", flat=True)) == {sent.address.pk}
    assert not ConsentEvent.objects.exclude(actor=None).exists()


def test_a_site_that_asks_everybody_to_log_in_lets_recipients_leave(sent: Sent, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert Client().get(sent.opt_out_url()).status_code == 200
    assert Client().get(sent.open_url())["Content-Type"] == "image/gif"
    assert Client().post(sent.one_click_url(), PAIR).status_code == 200
    assert has_left(sent)
