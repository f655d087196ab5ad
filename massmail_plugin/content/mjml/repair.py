"""Putting right what mrml, the MJML compiler, gets wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from massmail_plugin.content.mjml.source import Attribute, Comment, Text, read

_BARE_NUMBER = re.compile(r"(?<![\w.#%-])(\d+(?:\.\d+)?)(?=\s|$)")
_LENGTHS = re.compile(
    r"(?:inner-|container-)?padding(?:-(?:top|right|bottom|left))?$|icon-padding$|text-padding$"
)


def repair(source: str) -> str:
    """Return checked MJML with what mrml gets wrong put right: quotes, bare numbers, void elements."""
    return "".join(_repaired(source))


def _repaired(source: str) -> Iterator[str]:
    for piece in read(source):
        if isinstance(piece, Comment):
            yield piece.text
        elif isinstance(piece, Text):
            # "]]>" ends a CDATA section for mrml, also where there is none.
            yield piece.text.replace("]]>", "]]&gt;")
        elif piece.closing:
            yield f"</{piece.name}>"
        else:
            attributes = "".join(_attribute(attribute) for attribute in piece.attributes)
            yield f"<{piece.name}{attributes}{' /' if piece.empty else ''}>"


def _attribute(attribute: Attribute) -> str:
    value = attribute.name if attribute.value is None else attribute.value
    if _LENGTHS.match(attribute.name):
        # mrml ignores "0 50px" when it computes widths; "0px 50px" is right.
        value = _BARE_NUMBER.sub(r"\1px", value)
    # mrml writes a quotation mark inside a value as \" and thereby ends the attribute.
    return f' {attribute.name}="{value.replace(chr(34), "&quot;")}"'
