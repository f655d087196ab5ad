"""Reading MJML written by hand, so that a mistake has a line and a column.

The compiler (mrml) gives a position for few mistakes, accepts unknown elements in silence, and dies of a
segmentation fault on documents nested some 10,000 deep. Nothing reaches it that was not read here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

#: HTML elements that have no end tag.
VOID_ELEMENTS = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)

# Possessive quantifiers: no backtracking, so that reading takes linear time whatever is written.
_NAME = re.compile(r"</?([A-Za-z][^\s/<>\"'=]*+)")
# Not "(...)?+": a group that fails there leaves the position behind what it had read (Python 3.11.2, gh-101955).
_ATTRIBUTE = re.compile(r"\s++([^\s=/<>\"']++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'))?")
_XML_NAME = re.compile(r"[A-Za-z_][\w.:-]*+", re.ASCII)
# mrml reads what stands between the two marks of Outlook's conditional comments as elements.
_CONDITION = re.compile(r"<!--\[if\b[^\[\]<>]*+\]>(?:<!-->)?|<!\[endif\]-->")
_TAG_END = re.compile(r"\s*+(/?)>")


class SourceError(Exception):
    """The source cannot be read on from ``offset``."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    #: None for an attribute without a value.
    value: str | None
    offset: int


@dataclass(frozen=True, slots=True)
class Text:
    """What stands between two tags."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, or one mark of a conditional comment."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A start tag, an end tag (``closing``), or both in one (``empty``)."""

    name: str
    attributes: tuple[Attribute, ...]
    start: int
    closing: bool
    empty: bool


Piece = Text | Comment | Tag


def read(source: str) -> Iterator[Piece]:
    """Yield the pieces of ``source`` in order. Raises :class:`SourceError` where it cannot be read."""
    position = 0
    while position < len(source):
        tag_start = source.find("<", position)
        if tag_start < 0:
            tag_start = len(source)
        if tag_start > position:
            yield Text(source[position:tag_start], position)
        if tag_start == len(source):
            return
        piece, position = _read_markup(source, tag_start)
        yield piece


def _read_markup(source: str, start: int) -> tuple[Piece, int]:
    if mark := _CONDITION.match(source, start):
        return Comment(mark.group(), start), mark.end()
    if source.startswith("<!--", start):
        return _read_comment(source, start)
    if source.startswith(("<!", "<?"), start):
        raise SourceError(_("Remove this declaration: only elements are read here."), start)
    found = _NAME.match(source, start)
    if not found:
        raise SourceError(_("Write “&lt;” for a “<” that does not begin a tag."), start)
    return _read_tag(source, start, found)


def _read_comment(source: str, start: int) -> tuple[Comment, int]:
    end = source.find("-->", start + 4)
    if end < 0:
        raise SourceError(_("This comment is never closed. Add “-->”."), start)
    dashes = source.find("--", start + 4, end + 1)
    if dashes >= 0:
        raise SourceError(_("Remove the “--” inside the comment."), dashes)
    return Comment(source[start : end + 3], start), end + 3


def _read_tag(source: str, start: int, found: re.Match[str]) -> tuple[Tag, int]:
    if not _XML_NAME.fullmatch(found[1]):
        raise SourceError(_("“{name}” is no name for an element.").format(name=found[1]), start)
    attributes: dict[str, Attribute] = {}
    position = found.end()
    while attribute := _ATTRIBUTE.match(source, position):
        read_attribute = _attribute(attribute)
        if read_attribute.name in attributes:
            message = _("“{name}” stands twice in this tag.").format(name=read_attribute.name)
            raise SourceError(message, read_attribute.offset)
        attributes[read_attribute.name] = read_attribute
        position = attribute.end()
    end = _TAG_END.match(source, position)
    if not end:
        raise _unfinished(source, start, position, found[1])
    name, closing = found[1], source.startswith("</", start)
    empty = not closing and (bool(end[1]) or name.lower() in VOID_ELEMENTS)
    return Tag(name, tuple(attributes.values()), start, closing, empty), end.end()


def _attribute(found: re.Match[str]) -> Attribute:
    if not _XML_NAME.fullmatch(found[1]):
        message = _("“{name}” is no name for an attribute.").format(name=found[1])
        raise SourceError(message, found.start(1))
    return Attribute(found[1], found[2] if found[2] is not None else found[3], found.start(1))


def _unfinished(source: str, start: int, position: int, name: str) -> SourceError:
    rest = source[position : position + 200].lstrip()
    if rest.startswith("="):
        return SourceError(_("Put the value of this attribute in quotes."), position)
    if rest[:1] in ('"', "'"):
        return SourceError(_("A quotation mark is missing or stands in a wrong place."), position)
    return SourceError(_("The tag <{name}> is not closed. Add “>”.").format(name=name), start)
