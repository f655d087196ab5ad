"""The lines of a mail's header, as bytes: ASCII only, folded, each ended by CRLF.

Written directly, because the ``email`` package takes longer for a header than we have for a mail, and because it
would encode what must not be encoded: an address (``=?utf-8?b?...?=@example.com`` does not exist), a Message-ID or
the URL in List-Unsubscribe.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator

from massmail_plugin.content.headers import clean_header

#: RFC 5322 2.1.1 asks for lines of 78 characters at most; RFC 2047 2 for 76, and for words of 75, where one is encoded.
_LINE = 78
_ENCODED_LINE = 76
_WORD = "=?utf-8?b?%s?="
#: Bytes that fit into one encoded word: base64 makes four signs of three.
_WORD_BYTES = (75 - len(_WORD % "")) // 4 * 3

# RFC 5322 3.2.3: what may stand in an address, and in a name without quotation marks.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+")
# RFC 6531 3.3 adds letters beyond ASCII before the @; the domain is ASCII already.
_UTF8_ADDRESS = re.compile(r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]|[^\W_]|[\u0300-\u036f])+@[A-Za-z0-9.-]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_QUOTED = re.compile(r'(["\\])')
_VALUE = re.compile(r"[ -~]*")


def text_line(name: str, text: str) -> bytes:
    """Return a line of free text, such as the subject."""
    return _folded(name, _words(text, len(name) + 2))


def mailbox_line(name: str, display: str, address: str, *, utf8: bool = False) -> bytes:
    """Return a line with one mailbox: a name for people, which may be empty, and an address.

    ``utf8``: the mail goes where letters beyond ASCII may stand in an address as they are (RFC 6532). Raises
    ``ValueError`` for an address that cannot be written so, above all one that is not ASCII.
    """
    if not (_UTF8_ADDRESS if utf8 else _ADDRESS).fullmatch(address):
        raise ValueError(f"{name} cannot hold this address.")
    display = clean_header(display)
    if not display:
        return _folded(name, [address])
    if _is_plain(display):
        phrase = display if _ATOMS.fullmatch(display) else '"' + _QUOTED.sub(r"\\\1", display) + '"'
        return _folded(name, [*phrase.split(" "), f"<{address}>"])
    return _folded(name, [*_encoded_words(display, len(name) + 2), f"<{address}>"])


def value_line(name: str, value: str) -> bytes:
    """Return a line with a value that machines read, as it is. Raises ``ValueError`` if it is not plain ASCII."""
    if not _VALUE.fullmatch(value):
        raise ValueError(f"{name} cannot hold this value.")
    return f"{name}: {value}\r\n".encode("ascii")


def _words(text: str, start: int) -> list[str]:
    line = clean_header(text)
    return line.split(" ") if _is_plain(line) else list(_encoded_words(line, start))


def _is_plain(line: str) -> bool:
    # What looks like an encoded word would be decoded at the other end.
    return line.isascii() and "=?" not in line


def _encoded_words(line: str, start: int) -> Iterator[str]:
    """Yield words of at most 75 characters, none of which ends inside a letter (RFC 2047 5); blanks go with them."""
    room = (_ENCODED_LINE - start - len(_WORD % "")) // 4 * 3
    word = bytearray()
    for letter in line:
        encoded = letter.encode()
        if len(word) + len(encoded) > room:
            yield _WORD % b64encode(word).decode("ascii")
            word.clear()
            room = _WORD_BYTES
        word += encoded
    yield _WORD % b64encode(word).decode("ascii")


def _folded(name: str, words: list[str]) -> bytes:
    """Return the line, folded before words where it would get too long; never before the first one."""
    line = f"{name}: {' '.join(words)}"
    if len(line) <= _ENCODED_LINE:
        return f"{line}\r\n".encode()
    lines, line = [], f"{name}: {words[0]}"
    for word in words[1:]:
        limit = _ENCODED_LINE if "=?" in line or "=?" in word else _LINE
        if len(line) + 1 + len(word) > limit:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line, ""]).encode()
