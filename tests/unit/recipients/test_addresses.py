"""One key for all spellings of an address, and no key for what is none."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from massmail_plugin.recipients.addresses import MalformedAddress, parse_address
from sandbox.crm import awkward


@pytest.mark.parametrize(
    ("text", "key", "envelope"),
    [
        ("ada@example.org", "ada@example.org", "ada@example.org"),
        ("  ada@example.org\t", "ada@example.org", "ada@example.org"),
        # The local part goes out as it was written: only the key ignores its case.
        ("Ada.Lovelace@Example.ORG", "ada.lovelace@example.org", "Ada.Lovelace@example.org"),
        ("petra+news@example.org", "petra+news@example.org", "petra+news@example.org"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example", "jürgen@xn--bcher-kva.example"),
        # Full-width letters and a ligature, as Asian keyboards and PDF files bring them.
        ("ａｄａ@example.org", "ada@example.org", "ada@example.org"),
        ("ofﬁce@example.org", "office@example.org", "office@example.org"),
        # One umlaut written as two characters is the same umlaut.
        ("ju\u0308rgen@example.org", "jürgen@example.org", "jürgen@example.org"),
    ],
)
def test_all_spellings_have_one_key(text: str, key: str, envelope: str) -> None:
    parsed = parse_address(text)

    assert parsed.key == key
    assert parsed.envelope == envelope


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "no-at-sign",
        "two@@example.org",
        "@example.org",
        "ada@",
        "ada@example",
        "ada@-example.org",
        "ada@example-.org",
        "ada@example..org",
        ".ada@example.org",
        "ada.@example.org",
        "ada..l@example.org",
        "ada l@example.org",
        "ada@exam ple.org",
        "ada@example.org,",
        "a@b.example, c@d.example",
        "a@b.example; c@d.example",
        "Ada <ada@example.org>",
        "ada@[192.0.2.1]",
        "ada@192.0.2.1",
        "ada@xn--a.example",
        "m" * 65 + "@example.org",
        "ü" * 33 + "@example.org",
        "ada@" + "a" * 64 + ".org",
        "ada@" + ".".join(["a" * 60] * 5) + ".org",
        # Each of these would write another line into an SMTP dialogue or a header.
        "ada@example.org\r\nBcc: everyone@example.org",
        "ada\n@example.org",
        "ada@example.org\r\nRCPT TO:<b@example.org>",
        "ada\x00@example.org",
        "ada@exam\u200bple.org",
        "evan\u202e@example.org",
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(MalformedAddress) as refusal:
        parse_address(text)

    assert str(refusal.value)


def test_the_longest_local_part_is_accepted() -> None:
    assert parse_address("m" * 64 + "@example.org").key == "m" * 64 + "@example.org"


@pytest.mark.parametrize("case", awkward.ALL, ids=lambda case: case.what)
def test_the_sandbox_says_rightly_who_can_be_mailed(case: awkward.Awkward) -> None:
    try:
        parse_address(case.email)
    except MalformedAddress:
        assert not case.mailable
    else:
        assert case.mailable


_WORD = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
_ADDRESSES = st.builds("{}.{}@{}.example".format, _WORD, _WORD, _WORD)


@given(_ADDRESSES)
def test_letter_case_and_spaces_never_make_a_second_person(text: str) -> None:
    assert parse_address(text.upper()).key == parse_address(f" {text.lower()} ").key == text.lower()


@given(st.text(max_size=80) | st.builds("{}@{}.example".format, st.text(max_size=20), st.text(max_size=20)))
@example("İ@example.org")
@example("a@ß.example")
@example("a@faß.example")
def test_any_text_is_an_address_with_a_stable_key_or_is_refused(text: str) -> None:
    try:
        parsed = parse_address(text)
    except MalformedAddress:
        return

    assert parse_address(parsed.key).key == parsed.key
    assert parse_address(parsed.envelope).key == parsed.key
    assert len(parsed.key) <= 254
    assert not set(parsed.envelope) & set("\r\n\0 <>,;")
    assert parsed.envelope.rpartition("@")[2].isascii()
