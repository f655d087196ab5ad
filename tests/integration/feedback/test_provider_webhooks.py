"""Real posts of real providers, and of those who pretend to be one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from anymail.signals import tracking
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from massmail_plugin.feedback import events
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.feedback.provider_webhooks import PROVIDERS
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients.models import ConsentEvent
from tests.integration.feedback.conftest import ADDRESS, Sent

SECRET = "webhooks:a good password"
KEY = "mailgun-signing-key"
NOW = 1_795_000_000


@pytest.fixture
def provider() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}


def url(name: str) -> str:
    return reverse("massmail:webhook", args=[name])


def basic(secret: str = SECRET) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}


def post(client: Client, name: str, payload: Any, headers: dict[str, str] | None = None) -> int:
    body = payload if isinstance(payload, str | bytes) else json.dumps(payload)
    response = client.post(url(name), body, content_type="application/json", headers=headers or {})
    assert not response.cookies
    return response.status_code


def mailgun(sent: Sent, event: str, *, key: str = KEY, **data: Any) -> dict[str, Any]:
    timestamp, token = str(NOW), "t" * 50
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {
        "signature": {"timestamp": timestamp, "token": token, "signature": signature},
        "event-data": {
            "event": event,
            "timestamp": NOW + 0.5,
            "id": "ase7i2zsRYeDXztHGENqRA",
            "recipient": ADDRESS,
            "user-variables": {"massmail_delivery": str(sent.delivery.pk)},
            "message": {"headers": {"message-id": "20261120.1@mg.example.com", "to": ADDRESS}},
            **data,
        },
    }


GONE = {
    "severity": "permanent",
    "reason": "bounce",
    "delivery-status": {
        "code": 550,
        "message": "5.1.1 The email account that you tried to reach does not exist.",
    },
}


def test_mailgun_signs_its_posts(provider: Client, sent: Sent, settings: Any) -> None:
    settings.ANYMAIL = {"MAILGUN_WEBHOOK_SIGNING_KEY": KEY}
    assert post(provider, "mailgun", mailgun(sent, "delivered")) == 200
    assert post(provider, "mailgun", mailgun(sent, "failed", **GONE)) == 200
    assert sent.kinds() == ["bounced_hard", "delivered"]
    assert sent.address.invalid_since


def test_forged_posts_raise_no_alarm_that_anybody_could_ring(
    provider: Client, sent: Sent, caplog: pytest.LogCaptureFixture
) -> None:
    assert post(provider, "postmark", postmark(sent, "Bounce"), basic("webhooks:guess")) == 400
    assert [record.levelname for record in caplog.records if record.exc_info] == []
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_a_forged_signature_is_refused(provider: Client, sent: Sent, settings: Any) -> None:
    settings.ANYMAIL = {"MAILGUN_WEBHOOK_SIGNING_KEY": KEY}
    forged = mailgun(sent, "failed", key="guess", **GONE)
    unsigned = mailgun(sent, "failed", **GONE) | {"signature": {}}
    for payload in (forged, unsigned):
        assert post(provider, "mailgun", payload) == 400
    assert sent.kinds() == []
    assert sent.address.is_mailable


def test_a_replayed_post_has_no_second_effect(provider: Client, sent: Sent, settings: Any) -> None:
    settings.ANYMAIL = {"MAILGUN_WEBHOOK_SIGNING_KEY": KEY}
    payload = mailgun(sent, "complained")
    for _ in range(3):
        assert post(provider, "mailgun", payload) == 200
    assert sent.kinds() == ["complained"]
    assert ConsentEvent.objects.count() == 1


def postmark(sent: Sent, record_type: str, **data: Any) -> dict[str, Any]:
    return {
        "RecordType": record_type,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Recipient": ADDRESS,
        "Email": ADDRESS,
        "DeliveredAt": "2026-11-20T09:30:00Z",
        "Metadata": {"massmail_delivery": str(sent.delivery.pk)},
        **data,
    }


def test_postmark_shows_a_password(provider: Client, sent: Sent) -> None:
    hard = {"ID": 42, "Type": "HardBounce", "Details": "smtp;550 5.1.1 user unknown", "Description": "x"}
    soft = {"ID": 43, "Type": "SoftBounce", "Details": "smtp;452 4.2.2 mailbox full"}
    assert post(provider, "postmark", postmark(sent, "Delivery"), basic()) == 200
    assert post(provider, "postmark", postmark(sent, "Bounce", **soft), basic()) == 200
    assert sent.address.is_mailable
    assert post(provider, "postmark", postmark(sent, "Bounce", **hard), basic()) == 200
    assert sent.kinds() == ["bounced_hard", "bounced_soft", "delivered"]
    assert sent.address.invalid_since


@pytest.mark.parametrize("headers", [{}, basic("webhooks:guess"), basic(":"), {"authorization": "Basic %%%"}])
def test_without_the_password_nothing_happens(provider: Client, sent: Sent, headers: dict[str, str]) -> None:
    assert post(provider, "postmark", postmark(sent, "SpamComplaint", Type="SpamComplaint"), headers) == 400
    assert sent.kinds() == []
    assert sent.address.is_mailable


def sendgrid(sent: Sent, event: str, number: int, **data: Any) -> dict[str, Any]:
    return {
        "event": event,
        "email": ADDRESS,
        "timestamp": NOW + number,
        "sg_event_id": f"id-{number}",
        "anymail_id": "c6a0ff4c-d0c9-4f1d",
        "massmail_delivery": str(sent.delivery.pk),
        **data,
    }


def test_sendgrid_sends_batches(provider: Client, sent: Sent) -> None:
    batch = [
        sendgrid(sent, "processed", 0),
        sendgrid(sent, "delivered", 1, response="250 OK"),
        sendgrid(sent, "delivered", 1, response="250 OK"),
        sendgrid(sent, "click", 2, url="https://news.example/", useragent="Mozilla/5.0"),
        sendgrid(sent, "bounce", 3, reason="550 5.1.1 no such user", status="5.1.1", type="bounce"),
        sendgrid(sent, "spamreport", 4),
    ]
    for _ in range(2):
        assert post(provider, "sendgrid", batch, basic()) == 200
    assert sent.kinds() == ["bounced_hard", "clicked", "complained", "delivered"]


def test_one_unreadable_event_does_not_stop_the_batch(provider: Client, sent: Sent) -> None:
    batch = [{}, {"event": "bounce", "timestamp": "x"}, 7, None, sendgrid(sent, "delivered", 1)]
    assert post(provider, "sendgrid", batch, basic()) == 200
    assert sent.kinds() == ["delivered"]


def test_brevo_tells_hard_from_soft(provider: Client, sent: Sent) -> None:
    about = {
        "email": ADDRESS,
        "ts_epoch": NOW * 1000,
        "message-id": "<1@relay.example>",
        "X-Mailin-custom": json.dumps({"massmail_delivery": sent.delivery.pk}),
    }
    soft = {"event": "soft_bounce", "reason": "452-4.2.2 over quota"}
    hard = {"event": "hard_bounce", "reason": "550-5.1.1 The email account does not exist"}
    assert post(provider, "brevo", about | soft, basic()) == 200
    assert sent.address.is_mailable
    assert post(provider, "brevo", about | hard, basic()) == 200
    assert sent.address.invalid_since
    assert post(provider, "brevo", about | {"event": "unsubscribe"}, basic()) == 200
    assert sent.kinds() == ["bounced_hard", "bounced_soft", "opted_out"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"WEBHOOK_SECRET": ""},
        {"WEBHOOK_SECRET": []},
        {"WEBHOOK_SECRET": [""]},
        {"WEBHOOK_SECRET": "user:"},
        {"WEBHOOK_SECRET": [SECRET, ""]},
        {"MAILGUN_WEBHOOK_SIGNING_KEY": "", "MAILGUN_API_KEY": "key", "POSTAL_WEBHOOK_KEY": ""},
        {"MANDRILL_WEBHOOK_KEY": "", "UNISENDER_GO_API_KEY": "", "MAILERSEND_SIGNING_SECRET": ""},
    ],
)
def test_a_webhook_without_a_secret_is_shut(
    provider: Client, sent: Sent, settings: Any, given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings.ANYMAIL = given
    signed_with_nothing = mailgun(sent, "complained", key="")
    for name in PROVIDERS:
        for headers in ({}, basic(""), basic("user:"), basic("None")):
            assert post(provider, name, signed_with_nothing, headers) == 404
            assert post(provider, name, [sendgrid(sent, "spamreport", 1)], headers) == 404
        assert f"the webhook of {name} was refused" in caplog.text, "Whoever sets it up finds out why."
    assert sent.kinds() == []


UNREADABLE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"\xff\xfe\x00",
    b'{"a": ' * 10_000,
    b"[" * 100_000,
    b"{}",
    b"[{}]",
]


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_what_cannot_be_read_is_refused_and_never_breaks(provider: Client, db: None, name: str) -> None:
    provider.raise_request_exception = False
    for body in UNREADABLE:
        assert post(provider, name, body, basic()) in (200, 400, 404), body[:20]
    assert not DeliveryEvent.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000], ids=["cut off", "no text", "very deep"])
def test_broken_json_is_a_bad_request(provider: Client, db: None, body: bytes) -> None:
    for name in ("postmark", "sendgrid", "brevo", "sparkpost", "mailjet", "mailtrap"):
        assert post(provider, name, body, basic()) == 400


def test_huge_posts_are_refused_before_they_are_read(provider: Client, db: None) -> None:
    assert post(provider, "postmark", b"x" * 10_000_001, basic()) == 413
    assert post(provider, "postmark", b"x" * 3_000_000, basic()) == 400, (
        "Django's own limit for a body in memory."
    )


def test_unknown_providers_have_no_address(provider: Client, db: None) -> None:
    for name in ("scaleway", "base", "mailgun_inbound"):
        assert post(provider, name, {}, basic()) == 404


def test_a_mailgun_webhook_needs_its_signing_key_as_well(provider: Client, sent: Sent) -> None:
    assert post(provider, "mailgun", mailgun(sent, "complained"), basic()) == 404
    assert sent.kinds() == []


def test_providers_may_look_whether_the_address_is_there(provider: Client, db: None) -> None:
    assert provider.head(url("postmark")).status_code == 200
    assert provider.get(url("postmark")).status_code == 405


def test_a_database_that_is_down_makes_the_provider_repeat(
    provider: Client, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError

    provider.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(events, "record", fail)
        assert post(provider, "postmark", postmark(sent, "Delivery"), basic()) == 500
    assert post(provider, "postmark", postmark(sent, "Delivery"), basic()) == 200
    assert sent.kinds() == ["delivered"]


def test_the_hosts_own_receivers_hear_the_events_too(provider: Client, sent: Sent) -> None:
    heard: list[str] = []

    def listen(sender: Any, event: Any, esp_name: str, **kwargs: Any) -> None:
        heard.append(f"{esp_name} {event.event_type}")

    tracking.connect(listen)
    try:
        post(provider, "postmark", postmark(sent, "Delivery"), basic())
    finally:
        tracking.disconnect(listen)
    assert heard == ["Postmark delivered"]


def test_another_sites_mails_on_the_same_account_are_not_ours(provider: Client, sent: Sent) -> None:
    theirs = postmark(sent, "SpamComplaint", Type="SpamComplaint", Email="somebody@else.example")
    assert post(provider, "postmark", theirs, basic()) == 200
    assert not DeliveryEvent.objects.exists()
    assert not Delivery.objects.filter(address__complained_since__isnull=False).exists()
