"""Pieces of text, encoded each by itself and joined: the same text at the other end, within RFC 2045's limits."""

from __future__ import annotations

import quopri

from hypothesis import example, given, settings
from hypothesis import strategies as st

from massmail_plugin.content.quoted_printable import encode, join

_text = st.text(
    alphabet=st.one_of(
        st.sampled_from("\n\n\n\r   \t=._ é\x00\x0b\x85\u2028\u202e👋"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=300,
)


@settings(deadline=None)
@given(st.lists(_text, max_size=8))
@example(["x" * 75, "y" * 76, "é" * 13, " "])
@example(["ends with a blank ", "", ""])
@example(["a line\n", "\n", " \n", "\t"])
@example(["From here\n", ".", "\n", "..\n", "=", "3D", "=\n"])
@example(["." * 1_000, "é" * 25 + "." * 30, "." + "x" * 75 + "\n", "." + "é" * 300])
@example(["é" * 10_000, " " * 10_000, "\n" * 200])
def test_any_pieces_arrive_as_one_text(pieces: list[str]) -> None:
    encoded = join([encode(piece) for piece in pieces])

    expected = "".join(piece.replace("\r\n", "\n").replace("\r", "\n") for piece in pieces)
    assert quopri.decodestring(encoded).replace(b"\r\n", b"\n").decode() == expected
    assert encoded.isascii()
    lines = encoded.split(b"\r\n")
    assert all(len(line) <= 76 for line in lines)
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert not any(line.startswith(b".") for line in lines)
    # Relays may cut blanks off at the end of a line.
    assert not any(line.endswith((b" ", b"\t")) for line in lines)
    assert not lines[-1].endswith(b"=")


@settings(deadline=None)
@given(_text)
def test_a_boundary_with_an_equals_sign_and_an_underscore_stands_in_no_text(text: str) -> None:
    assert b"=_" not in join([encode(text), encode("_"), encode("=_")])


def test_a_lone_surrogate_stops_nobody() -> None:
    assert join([encode("a\ud800b")]) == b"a?b"


def test_ordinary_text_stays_readable() -> None:
    assert join([encode("Hello "), encode("Ada"), encode("!\nBye.\n")]) == b"Hello =\r\nAda=\r\n!\r\nBye.\r\n"
