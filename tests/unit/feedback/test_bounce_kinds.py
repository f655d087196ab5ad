"""Which bounces end an address; the words are of the kinds that real servers answer with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massmail_plugin.feedback.bounces import is_hard

GONE = [
    "550 5.1.1 <x@y.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking",
    "smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "550 No such user here",
    "553 sorry, no mailbox here by that name",
    "550 unknown recipient",
    "550 5.1.2 Host or domain name not found. Name service error",
    "550 5.1.6 The mailbox has moved",
    "550 mailbox doesn't exist",
    "Host does not exist (NXDOMAIN)",
    "550 Invalid Recipient",
]
NOT_GONE = [
    "",
    "452 4.2.2 The email account that you tried to reach is over quota",
    "552 5.2.2 Mailbox full",
    "550 5.2.1 The email account that you tried to reach is disabled",
    "550 5.7.1 Message rejected: unknown user reputation",
    "550 5.7.515 Access denied, sending domain does not meet the required authentication level",
    "554 5.7.1 Service unavailable; Client host [5.1.1.7] blocked using a list",
    "451 4.1.1 User unknown, try again later",
    "421 Service not available",
    "550 Message blocked as spam, no such user complaint is possible",
    "550 5.1.8 Sender address rejected: Domain not found",
    "552 5.3.4 Message size exceeds fixed limit",
    "connection timed out",
    "550 Requested action not taken: mailbox unavailable",
    "delivery failed for 10.5.1.1",
]


@pytest.mark.parametrize("words", GONE)
def test_a_mailbox_that_does_not_exist(words: str) -> None:
    assert is_hard("bounced", words)
    assert is_hard(None, words), "SendGrid tells no reason."


@pytest.mark.parametrize("words", NOT_GONE)
@pytest.mark.parametrize("reason", ["bounced", "blocked", "spam", "timed_out", "other", None])
def test_a_mailbox_that_may_exist(words: str, reason: str | None) -> None:
    assert not is_hard(reason, words)


@pytest.mark.parametrize("words", [*GONE, *NOT_GONE])
def test_an_invalid_address_needs_no_words(words: str) -> None:
    assert is_hard("invalid", words)


@pytest.mark.parametrize(
    ("esp_event", "expected"),
    [
        ({"event": "hard_bounce"}, True),
        ({"Type": "HardBounce"}, True),
        ({"type": "activity.hard_bounced"}, True),
        ({"error": "user unknown"}, True),
        ({"bounce": {"bounceType": "Permanent", "bounceSubType": "NoEmail"}}, True),
        ({"event": "soft_bounce"}, False),
        ({"Type": "SoftBounce"}, False),
        ({"bounce": {"bounceType": "Permanent", "bounceSubType": "General"}}, False),
        ({"event": "hazard"}, False),
        ({"event": ["hard"], "bounce": "hard"}, False),
        ("hard_bounce", False),
        (None, False),
    ],
)
def test_without_words_the_provider_is_believed(esp_event: Any, expected: bool) -> None:
    assert is_hard("bounced", "", esp_event) is expected
    assert not is_hard("blocked", " ", esp_event)


def test_words_go_before_the_providers_verdict() -> None:
    assert not is_hard("bounced", "552 5.2.2 Mailbox full", {"event": "hard_bounce"})


@given(st.text(max_size=200))
def test_any_words_have_an_answer(words: str) -> None:
    assert is_hard("bounced", words) in (True, False)


def test_endless_words_are_cut() -> None:
    assert not is_hard("bounced", "user " * 1_000_000)
