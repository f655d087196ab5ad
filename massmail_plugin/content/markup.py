"""Changing single tags of finished HTML and leaving everything else as it is, byte for byte."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

# Conditional comments for Outlook match as a whole and are left alone. Possessive: linear time.
_MARKUP = re.compile(
    r"<!--.*?-->|<(?P<name>area|a|img)(?P<attributes>(?:\s++[^\s=/>\"']++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'))?)*)\s*+(?P<end>/?)>",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"\s++([^\s=/>\"']++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'))?")
_TAG = re.compile(r"<[^<>]*>")

Attributes = dict[str, str]
Change = Callable[[str, Attributes, str], None]


def change_tags(markup: str, change: Change) -> str:
    """Call ``change(name, attributes, content)`` for each link, area and image, which may change the attributes.

    ``content`` is the text of a link, without tags. Attribute values come and go unescaped.
    """

    def rewrite(found: re.Match[str]) -> str:
        if not found["name"]:
            return found.group()
        name = found["name"].lower()
        before = _read(found["attributes"])
        after = dict(before)
        change(name, after, _content(markup, found.end()) if name == "a" else "")
        return found.group() if after == before else _write(name, after, found["end"])

    return _MARKUP.sub(rewrite, markup)


def links_as_text(markup: str) -> str:
    """Return the HTML with "label (destination)" for each link and its text for each image."""

    def rewrite(found: re.Match[str]) -> str:
        if not found["name"]:
            return ""
        attributes = _read(found["attributes"])
        if found["name"].lower() == "img":
            return html.escape(attributes.get("alt", ""))
        return found.group() + _LINK_MARK + html.escape(attributes.get("href", "")) + _LINK_MARK

    return _MARKED_LINK.sub(_label_and_destination, _MARKUP.sub(rewrite, markup))


_LINK_MARK = "\x00"
_MARKED_LINK = re.compile(r"<a\b[^\x00]*?>\x00([^\x00]*)\x00(.*?)</a\s*>", re.DOTALL | re.IGNORECASE)


def _label_and_destination(found: re.Match[str]) -> str:
    destination, label = found[1], found[2]
    plain = _TAG.sub("", label).strip()
    if (
        not destination
        or destination.startswith("#")
        or plain in (destination, destination.partition(":")[2])
    ):
        return label
    return f"{label} ({destination})" if plain else label


def _content(markup: str, start: int) -> str:
    end = markup.find("</a", start)
    return html.unescape(_TAG.sub("", markup[start : end if end >= 0 else len(markup)])).strip()


def _read(attributes: str) -> Attributes:
    return {
        found[1].lower(): html.unescape(found[2] if found[2] is not None else found[3] or "")
        for found in _ATTRIBUTE.finditer(attributes)
    }


def _write(name: str, attributes: Attributes, end: str) -> str:
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}{' /' if end else ''}>"
