"""Text for headers, proved by real messages."""

from __future__ import annotations

import email
from email.header import decode_header, make_header
from email.utils import parseaddr

from django.core.mail import EmailMessage
from hypothesis import example, given, settings
from hypothesis import strategies as st

from massmail_plugin.content.headers import clean_header

_BREAKS = "\r\n\x00\x07\x0b\x0c\x1c\x1d\x1e\x7f\x85\u2028\u2029\ud800"
_hostile = st.text(alphabet=st.one_of(st.sampled_from(_BREAKS), st.characters()), max_size=400)


@settings(deadline=None)
@given(_hostile)
@example("Hello\x0bBcc: everybody@example.com\x0b\x0bBody")
@example("a\u2028Subject: other")
@example("a\x85X-Injected: 1")
def test_a_message_keeps_its_headers_whatever_the_subject(text: str) -> None:
    subject = clean_header(text)
    sent = EmailMessage(
        subject, "The body", "sales@example.com", ["ada@example.com"], headers={"X-Last": "here"}
    )

    parsed = email.message_from_bytes(sent.message().as_bytes(linesep="\r\n"))

    assert not parsed.defects
    assert str(make_header(decode_header(parsed["Subject"] or ""))) == subject
    assert parseaddr(parsed["From"])[1] == "sales@example.com"
    assert parseaddr(parsed["To"])[1] == "ada@example.com"
    assert all(len(parsed.get_all(name, [])) == 1 for name in ("Date", "Message-ID", "Subject", "X-Last"))
    assert parsed.get_payload().strip() == "The body"


@settings(deadline=None)
@given(_hostile, st.integers(min_value=2, max_value=80))
def test_it_is_one_line_of_at_most_that_length(text: str, length: int) -> None:
    line = clean_header(text, length)

    assert len(line) <= length
    assert len(line.splitlines()) <= 1
    assert line == line.strip()


def test_ordinary_text_stays_as_it_is() -> None:
    assert clean_header("Grüße aus Köln – 20 % für Ada 👋") == "Grüße aus Köln – 20 % für Ada 👋"


def test_what_is_too_long_says_so() -> None:
    assert clean_header("one two three", 8) == "one two…"
