"""Text as quoted-printable (RFC 2045 6.7), piece by piece: what many mails share is encoded once.

Each encoded piece begins and ends at the start of a line, if need be by a soft line break, so that pieces can be
joined in any order and no line is ever longer than 76 characters.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterable

_SOFT_BREAK = b"=\r\n"
_LINE = 76
#: Where a line may be cut: not inside an encoded byte.
_SIGN = re.compile(rb"=[0-9A-F]{2}|.", re.DOTALL)


def encode(text: str) -> bytes:
    """Return a piece of text, to be joined with others by :func:`join`. Its lines end in CRLF, whatever they ended in.

    No line begins with a dot, so that SMTP has none to double (RFC 5321 4.5.2). A lone surrogate, which no mail can
    hold, becomes a question mark.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    # The encoder keeps room for the last sign, an encoded "=": the place of our soft break.
    encoded = b2a_qp(text.encode("utf-8", "replace") + b"=")[:-3]
    if encoded and not encoded.endswith(b"\n"):
        encoded += b"=\n"
    if b"." in encoded and (encoded.startswith(b".") or b"\n." in encoded):
        encoded = b"".join(map(_without_leading_dot, encoded.splitlines(keepends=True)))
    return encoded.replace(b"\n", b"\r\n")


def join(pieces: Iterable[bytes]) -> bytes:
    """Return the whole encoded text."""
    whole = b"".join(pieces)
    if not whole.endswith(_SOFT_BREAK):
        return whole
    # The last line has nothing to be joined with, and relays cut blanks off at the end of a line.
    whole = whole[: -len(_SOFT_BREAK)]
    return whole[:-1] + b"=%02X" % whole[-1] if whole.endswith((b" ", b"\t")) else whole


def _without_leading_dot(line: bytes) -> bytes:
    """Return one line, LF included, as one or two lines of which none begins with a dot."""
    if not line.startswith(b"."):
        return line
    line = b"=2E" + line[1:]
    if len(line) <= _LINE + 1:
        return line
    end = 0
    for sign in _SIGN.finditer(line):
        if sign.end() > _LINE - 1:
            break
        end = sign.end()
    return line[:end] + b"=\n" + _without_leading_dot(line[end:])
