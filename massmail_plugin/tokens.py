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
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from massmail_plugin import conf

_MAC_BYTES = 10
_NUMBER_BYTES = 8
_MAX_TOKEN_LENGTH = 120
#: HMAC's block for SHA-256, and what its key is mixed with (RFC 2104 2).
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Purpose(StrEnum):
    """What a token allows its bearer to do; part of what is signed."""

    OPT_OUT = "opt-out"
    OPEN = "open"
    CLICK = "click"
    VIEW = "view"
    PREFERENCES = "preferences"
    SIGN_UP = "sign-up"


class BadToken(ValueError):
    """The token is unknown, damaged, forged, or made for another purpose."""


def make(purpose: Purpose, *numbers: int) -> str:
    """Return a URL-safe token that carries ``numbers`` (each 0 <= n < 2**63) for ``purpose``."""
    return Signer(purpose).make(*numbers)


class Signer:
    """Makes many tokens for one purpose: what their signatures have in common is worked out once."""

    def __init__(self, purpose: Purpose) -> None:
        self._begun = _begin(conf.secret_keys()[0], purpose)

    def make(self, *numbers: int) -> str:
        """Return a token as :func:`make` does."""
        return self._token(b"".join([_encode(number) for number in numbers]))

    def make_each(self, number: int, others: Iterable[int]) -> list[str]:
        """Return the tokens of (``number``, ``other``) for each of ``others``."""
        beginning = _encode(number)
        return [self._token(beginning + _encode(other)) for other in others]

    def _token(self, payload: bytes) -> str:
        signed = binascii.b2a_base64(_finish(self._begun, payload) + payload, newline=False)
        return signed.translate(_URL_SAFE).rstrip(b"=").decode("ascii")


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
    valid = [hmac.compare_digest(mac, _finish(_begin(key, purpose), payload)) for key in conf.secret_keys()]
    if not any(valid):
        raise BadToken
    numbers = _decode(payload)
    if len(numbers) != count:
        raise BadToken
    return numbers


_Begun = tuple["hashlib._Hash", "hashlib._Hash"]


def _begin(key: str, purpose: Purpose) -> _Begun:
    """Return HMAC-SHA256's two hashes after the key and the purpose: RFC 2104 4 has them kept for the next message.

    ``hmac.HMAC.copy`` does the same in twice the time, and a mail has a dozen links.
    """
    secret = key.encode()
    if len(secret) > _BLOCK:
        secret = hashlib.sha256(secret).digest()
    secret = secret.ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(secret.translate(_INNER))
    inner.update(b"massmail_plugin.tokens\0" + purpose.value.encode() + b"\0")
    return inner, hashlib.sha256(secret.translate(_OUTER))


def _finish(begun: _Begun, payload: bytes) -> bytes:
    inner, outer = begun[0].copy(), begun[1].copy()
    inner.update(payload)
    outer.update(inner.digest())
    return outer.digest()[:_MAC_BYTES]


@lru_cache(maxsize=1000)
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
