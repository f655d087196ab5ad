"""Lines of a header: one line of meaning, whatever a name or a subject holds."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from massmail_plugin.content.header_lines import mailbox_line, text_line, value_line
from massmail_plugin.content.headers import clean_header

_ENCODED_WORD = re.compile(r"=\?[^? ]+\?[^? ]\?[^? ]*\?=")
_hostile = st.text(
    alphabet=st.one_of(
        st.sampled_from("\r\n\x00\x0b\x0c\x1c\x1d\x1e\x7f\x85\u2028\ud800\u202e\u200d👋 \"\\,;:<>@()[]=?.'"),
        st.characters(),
    ),
    max_size=300,
)


def _check_form(line: bytes) -> None:
    text = line.decode("ascii")
    assert text.endswith("\r\n")
    first, *others = text.removesuffix("\r\n").split("\r\n")
    assert re.match(r"[A-Za-z-]+: ?", first)
    # Each goes on with one blank, and is never empty: some programs take an empty one for the header's end.
    assert all(re.match(r" [^ ]", other) for other in others)
    for one in (first, *others):
        assert "\r" not in one
        assert "\n" not in one
        words = _ENCODED_WORD.findall(one)
        assert all(len(word) <= 75 for word in words)
        assert len(one) <= (76 if words else 998)


@settings(deadline=None)
@given(_hostile)
@example("=?utf-8?q?not_encoded?=")
@example("é" * 250)
@example("a" * 250)
@example("long words " * 20)
@example("")
def test_a_subject_arrives_as_it_was_cleaned(text: str) -> None:
    line = text_line("Subject", text)

    _check_form(line)
    data = line + b"\r\nBody"
    modern, old = message_from_bytes(data, policy=policy.default), message_from_bytes(data)
    assert modern["Subject"] == clean_header(text)
    assert str(make_header(decode_header(re.sub(r"\r?\n", "", old["Subject"])))) == clean_header(text)
    assert modern.get_payload() == "Body"
    assert not modern.defects
    assert not modern["Subject"].defects


@settings(deadline=None)
@given(_hostile)
@example("Doe, John")
@example('John "Johnny" Doe \\')
@example("Löwe, Ada")
@example("=?utf-8?q?x?= <other@example.com>")
@example("other@example.com")
@example("(comment)")
@example("é" * 100)
@example("a b " * 30)
def test_a_name_arrives_and_never_becomes_an_address(text: str) -> None:
    line = mailbox_line("To", text, "ada@customers.example")

    _check_form(line)
    data = line + b"\r\nBody"
    modern, old = message_from_bytes(data, policy=policy.default), message_from_bytes(data)
    (address,) = modern["To"].addresses
    assert address.addr_spec == "ada@customers.example"
    # Python's own parser makes plain blanks of others, and in a name leaves those between encoded words (against
    # RFC 2047 6.2). The older one below takes every sign as it is.
    if line.count(b"=?utf-8?") <= 1:
        assert address.display_name.split() == clean_header(text).split()
    name, addr_spec = parseaddr(re.sub(r"\r?\n", "", old["To"]))
    assert addr_spec == "ada@customers.example"
    assert str(make_header(decode_header(name))) == clean_header(text)


@pytest.mark.parametrize(
    "address", ["", "jürgen@example.com", "a@b@c.example", "a b@c.example", "a@c.example>\r\n"]
)
def test_an_address_that_cannot_be_written_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="To"):
        mailbox_line("To", "Ada", address)


@pytest.mark.parametrize("address", ["jürgen@example.com", "田中@example.com", "ада@example.com"])
def test_where_addresses_may_have_any_letters_they_stand_as_they_are(address: str) -> None:
    assert mailbox_line("To", "Jürgen", address, utf8=True).endswith(f" <{address}>\r\n".encode())


@pytest.mark.parametrize(
    "address", ["jü\u2028rgen@example.com", "jü\x85@example.com", "jü>@example.com", "a@münchen.de"]
)
def test_but_no_signs_that_end_a_line_or_a_name(address: str) -> None:
    with pytest.raises(ValueError, match="To"):
        mailbox_line("To", "Jürgen", address, utf8=True)


@pytest.mark.parametrize("value", ["a\r\nBcc: x", "é", "a\x0bb", "a\tb"])
def test_a_value_for_machines_is_written_as_it_is_or_not_at_all(value: str) -> None:
    with pytest.raises(ValueError, match="List-Id"):
        value_line("List-Id", value)


def test_a_long_address_of_a_page_is_neither_folded_nor_encoded() -> None:
    url = f"<https://crm.example/{'x' * 300}>"
    assert value_line("List-Unsubscribe", url) == f"List-Unsubscribe: {url}\r\n".encode()
