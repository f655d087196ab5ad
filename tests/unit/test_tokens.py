"""Tokens carry numbers, say no to everything else, and survive a new key."""

import base64
import hashlib
import hmac

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from massmail_plugin import tokens
from massmail_plugin.tokens import BadToken, Purpose

numbers = st.lists(st.integers(min_value=0, max_value=2**63 - 1), min_size=1, max_size=4)


@given(numbers=numbers, purpose=st.sampled_from(Purpose))
def test_numbers_come_back(numbers, purpose):
    token = tokens.make(purpose, *numbers)
    assert tokens.read(purpose, token, count=len(numbers)) == tuple(numbers)


@given(numbers=numbers, bit=st.integers(min_value=0))
def test_a_flipped_bit_is_refused(numbers, bit):
    token = tokens.make(Purpose.OPT_OUT, *numbers)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    bit %= len(raw) * 8
    raw[bit // 8] ^= 1 << (bit % 8)
    forged = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    with pytest.raises(BadToken):
        tokens.read(Purpose.OPT_OUT, forged, count=len(numbers))


@given(text=st.text(max_size=200))
def test_arbitrary_text_is_refused_and_never_an_error(text):
    with pytest.raises(BadToken):
        tokens.read(Purpose.CLICK, text, count=2)


def test_a_token_for_one_purpose_opens_nothing_else():
    token = tokens.make(Purpose.OPEN, 7)
    for other in set(Purpose) - {Purpose.OPEN}:
        with pytest.raises(BadToken):
            tokens.read(other, token, count=1)


def test_the_count_of_numbers_is_part_of_the_deal():
    with pytest.raises(BadToken):
        tokens.read(Purpose.CLICK, tokens.make(Purpose.CLICK, 1, 2, 3), count=2)


def test_links_survive_a_new_key(settings):
    settings.MASSMAIL = {"SECRET_KEYS": ["old"]}
    token = tokens.make(Purpose.OPT_OUT, 5, 6)
    settings.MASSMAIL = {"SECRET_KEYS": ["new", "old"]}
    assert tokens.read(Purpose.OPT_OUT, token, count=2) == (5, 6)
    settings.MASSMAIL = {"SECRET_KEYS": ["new"]}
    with pytest.raises(BadToken):
        tokens.read(Purpose.OPT_OUT, token, count=2)


def test_a_token_holds_nothing_but_numbers_and_is_short():
    token = tokens.make(Purpose.OPT_OUT, 1_000_000, 2_000_000)
    assert len(token) < 30
    assert token.replace("-", "").replace("_", "").isalnum()


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100), numbers=numbers)
def test_a_token_is_signed_by_hmac_sha256(key, numbers):
    with override_settings(MASSMAIL={"SECRET_KEYS": [key]}):
        token = tokens.make(Purpose.CLICK, *numbers)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    expected = hmac.new(key.encode(), b"massmail_plugin.tokens\0click\0" + raw[10:], hashlib.sha256).digest()
    assert raw[:10] == expected[:10]


@given(number=st.integers(0, 2**63 - 1), others=st.lists(st.integers(0, 300), max_size=5))
def test_tokens_made_together_are_those_made_one_by_one(number, others):
    made = tokens.Signer(Purpose.CLICK).make_each(number, others)
    assert made == [tokens.make(Purpose.CLICK, number, other) for other in others]
