"""Clicks lead to the stored place whatever happens; opens are counted only where the site wants it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from massmail_plugin import preferences, tokens
from massmail_plugin.feedback import events
from massmail_plugin.mailings.models import TrackedLink
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.tokens import Purpose
from tests.builders import a_user
from tests.integration.feedback.conftest import SHOP, Sent

PIXEL_TYPE = "image/gif"


def prefer(**fields: bool) -> None:
    chosen = preferences.load()
    for name, value in fields.items():
        setattr(chosen, name, value)
    chosen.save()


def set_destination(sent: Sent, url: str) -> None:
    TrackedLink.objects.filter(run=sent.run, number=0).update(url=url)


def test_a_click_leads_to_the_stored_place_and_counts(client: Client, sent: Sent) -> None:
    response = client.get(sent.click_url(1))
    assert response.status_code == 302
    assert response["Location"] == SHOP
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies
    event = sent.delivery.events.get()
    assert event.kind == "clicked"
    assert event.link is not None
    assert event.link.slug == "shop"


def test_every_click_counts(client: Client, sent: Sent) -> None:
    for _ in range(3):
        client.get(sent.click_url())
    assert sent.kinds() == ["clicked"] * 3


def test_scanners_and_browsers_that_fetch_ahead_are_led_on_but_not_counted(
    client: Client, sent: Sent
) -> None:
    assert client.head(sent.click_url())["Location"] == "https://news.example/"
    for headers in ({"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}):
        assert client.get(sent.click_url(), headers=headers).status_code == 302
    assert sent.kinds() == []


def test_clicks_are_not_counted_where_the_site_does_not_want_it(client: Client, sent: Sent) -> None:
    prefer(track_clicks=False)
    assert client.get(sent.click_url()).status_code == 302
    assert sent.kinds() == []


def test_a_database_that_cannot_write_does_not_stop_anybody(
    client: Client, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    prefer(track_opens=True)
    monkeypatch.setattr(events, "record", fail)
    assert client.get(sent.click_url(1))["Location"] == SHOP
    assert client.get(sent.open_url())["Content-Type"] == PIXEL_TYPE


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "/admin/",
        "https:evil",
        "ftp://files.example/",
        "mailto:a@b.example",
        "http://[::1",
        "",
    ],
)
def test_only_web_addresses_are_followed(client: Client, sent: Sent, url: str) -> None:
    set_destination(sent, url)
    response = client.get(sent.click_url())
    assert response.status_code == 404
    assert "Location" not in response
    assert sent.kinds() == []


def test_the_visitor_cannot_choose_where_to(client: Client, sent: Sent) -> None:
    for query in (
        "?url=https://evil.example/",
        "?next=//evil.example",
        "?to=%0d%0aLocation:%20https://evil.example",
    ):
        assert client.get(sent.click_url(1) + query)["Location"] == SHOP


def test_a_line_break_in_a_destination_cannot_make_a_header(client: Client, sent: Sent) -> None:
    set_destination(sent, "https://shop.example/\r\nSet-Cookie: x=1")
    response = client.get(sent.click_url())
    assert not response.cookies
    assert "\n" not in response.get("Location", "")


def test_bad_click_tokens_lead_nowhere(client: Client, sent: Sent) -> None:
    good = tokens.make(Purpose.CLICK, sent.delivery.pk, 0)
    bad = [
        "x",
        good[:-2],
        tokens.make(Purpose.CLICK, sent.delivery.pk, 99),
        tokens.make(Purpose.CLICK, 2**62, 0),
        tokens.make(Purpose.OPT_OUT, sent.delivery.pk, 0),
    ]
    for token in bad:
        response = client.get(reverse("massmail:click", args=[token]))
        assert response.status_code == 404
        assert "This link does not work" in response.content.decode()


def test_the_links_of_a_test_mail_lead_to_a_page_that_says_so(client: Client, sent: Sent) -> None:
    response = client.get(reverse("massmail:click", args=[tokens.make(Purpose.CLICK, 0, 0)]))
    assert response.status_code == 200
    assert "test mail" in response.content.decode()


def test_links_are_for_looking_only(client: Client, sent: Sent) -> None:
    assert client.post(sent.click_url()).status_code == 405
    assert client.post(sent.view_url()).status_code == 405


def test_opens_count_only_where_the_site_wants_it(client: Client, sent: Sent) -> None:
    assert client.get(sent.open_url()).status_code == 200
    assert sent.kinds() == [], "Off by default."
    prefer(track_opens=True)
    client.get(sent.open_url())
    client.head(sent.open_url())
    assert sent.kinds() == ["opened"]
    prefer(track_opens=False)
    client.get(sent.open_url())
    assert sent.kinds() == ["opened"], "Switching it off ends it for mails already sent."


def test_colleagues_who_look_at_a_mail_are_not_counted(client: Client, sent: Sent) -> None:
    prefer(track_opens=True)
    client.force_login(a_user(is_staff=True))
    client.get(sent.open_url())
    assert sent.kinds() == []
    client.force_login(a_user())
    client.get(sent.open_url())
    assert sent.kinds() == ["opened"], (
        "A customer who is logged in to the site is a recipient like any other."
    )


def test_the_pixel_is_always_a_picture(client: Client, sent: Sent) -> None:
    prefer(track_opens=True)
    wrong = [
        sent.opt_out_token(),
        tokens.make(Purpose.OPEN, 0),
        tokens.make(Purpose.OPEN, 2**62),
        "x",
        "é" * 300,
    ]
    for token in wrong:
        response = client.get(reverse("massmail:open", args=[token]))
        assert response.status_code == 200
        assert response["Content-Type"] == PIXEL_TYPE
        assert response.content.startswith(b"GIF89a")
        assert "no-store" in response["Cache-Control"]
        assert not response.cookies
    assert sent.kinds() == []


@pytest.mark.parametrize("wanted", [True, False])
def test_what_comes_back_settles_a_doubt(client: Client, sent: Sent, wanted: bool) -> None:
    prefer(track_clicks=wanted, track_opens=wanted)
    for url, proof in ((sent.click_url(), "a link in it was opened"), (sent.open_url(), "it was opened")):
        sent.be(DeliveryState.IN_DOUBT, handed_at=None, detail="The connection broke.")
        client.get(url)
        sent.delivery.refresh_from_db()
        assert sent.delivery.state == DeliveryState.ACCEPTED
        assert sent.delivery.handed_at is not None
        assert sent.delivery.detail.startswith("It arrived: on ")
        assert proof in sent.delivery.detail


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.SKIPPED, DeliveryState.CANCELLED])
def test_what_comes_back_settles_nothing_else(client: Client, sent: Sent, state: DeliveryState) -> None:
    sent.be(state)
    client.get(sent.click_url())
    assert sent.state == state
