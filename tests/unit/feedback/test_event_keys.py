"""The name of an event: the same each time it is repeated, another one for each other event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massmail_plugin.feedback.events import event_key
from massmail_plugin.feedback.views.opt_out import masked

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
parts = st.tuples(st.text(max_size=5), st.integers(0, 9), st.text(max_size=5), st.text(max_size=5))


@given(parts, parts)
def test_keys_are_equal_only_for_equal_events(
    one: tuple[str, int, str, str], other: tuple[str, int, str, str]
) -> None:
    keys = [event_key(esp, pk, kind, AT, url=url) for esp, pk, kind, url in (one, other)]
    assert (keys[0] == keys[1]) is (one == other)


def test_a_time_makes_the_providers_number_superfluous() -> None:
    assert event_key("Mailgun", 1, "clicked", AT, event_id="a") == event_key(
        "Mailgun", 1, "clicked", AT, event_id="b"
    )
    assert event_key("Postmark", 1, "clicked", None, event_id="a") != event_key(
        "Postmark", 1, "clicked", None, event_id="b"
    )


def test_a_key_fits_its_column() -> None:
    assert len(event_key("x" * 1000, 2**63, "clicked", AT, url="y" * 5000)) == 64


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("anna.berg@example.com", "an•••@example.com"),
        ("bob@example.com", "b•••@example.com"),
        ("a@example.com", "a•••@example.com"),
        ('"a@b"@example.com', '"a•••@example.com'),
    ],
)
def test_an_address_is_known_to_its_owner_only(address: str, expected: str) -> None:
    assert masked(address) == expected
