"""Opaque, unforgeable tokens for the links in mails.

A token carries a purpose and a few row numbers, no personal data, and never expires: an opt-out link must
work for years (CASL asks for 60 days). The MAC is 80 bits of HMAC-SHA256 and is bound to the purpose, so
that the token of an open-tracking pixel cannot be used to opt somebody out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from enum import StrEnum

from massmail_plugin import conf

_MAC_BYTES = 10
_NUMBER_BYTES = 8
_MAX_TOKEN_LENGTH = 120


class Purpose(StrEnum):
    """What a token allows its bearer to do; part of what is signed."""

    OPT_OUT = "opt-out"
    OPEN = "open"
    CLICK = "click"
    VIEW = "view"


class BadToken(ValueError):
    """The token is unknown, damaged, forged, or made for another purpose."""


def make(purpose: Purpose, *numbers: int) -> str:
    """Return a URL-safe token that carries ``numbers`` (each 0 <= n < 2**63) for ``purpose``."""
    payload = b"".join(_encode(number) for number in numbers)
    return (
        base64.urlsafe_b64encode(_mac(conf.secret_keys()[0], purpose, payload) + payload)
        .rstrip(b"=")
        .decode()
    )


def read(purpose: Purpose, token: str, *, count: int) -> tuple[int, ...]:
    """Return the ``count`` numbers of a token made for ``purpose``. Raises :class:`BadToken`."""
    if len(token) > _MAX_TOKEN_LENGTH or not token.isascii():
        raise BadToken
    try:
        # altchars + validate: the lenient decoder skips foreign characters, so that many texts would be one token.
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadToken from error
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    # Every key is tried, without leaving early, so that timing says nothing about which one matched.
    valid = [hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in conf.secret_keys()]
    if not any(valid):
        raise BadToken
    numbers = _decode(payload)
    if len(numbers) != count:
        raise BadToken
    return numbers


def _mac(key: str, purpose: Purpose, payload: bytes) -> bytes:
    message = b"massmail_plugin.tokens\0" + purpose.value.encode() + b"\0" + payload
    return hmac.new(key.encode(), message, hashlib.sha256).digest()[:_MAC_BYTES]


def _encode(number: int) -> bytes:
    """One length byte and the number, big-endian: short tokens for small numbers, no ambiguity."""
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "big")


def _decode(payload: bytes) -> tuple[int, ...]:
    numbers = []
    while payload:
        size, payload = payload[0], payload[1:]
        if size > _NUMBER_BYTES or size > len(payload):
            raise BadToken
        numbers.append(int.from_bytes(payload[:size], "big"))
        payload = payload[size:]
    return tuple(numbers)
