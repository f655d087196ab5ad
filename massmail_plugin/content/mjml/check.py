"""Finding mistakes in MJML written by hand, each with its line and column."""

from __future__ import annotations

import html
import re

from django.utils.translation import gettext as _

from massmail_plugin.content.mjml.elements import CHILDREN, name_problem
from massmail_plugin.content.mjml.source import Attribute, Comment, SourceError, Tag, Text, read
from massmail_plugin.content.placeholders import Placeholders
from massmail_plugin.content.problems import Problem, at_offset

#: Elements nested deeper than this are refused.
MAX_DEPTH = 100

# Text, and links that the compiler checks again once they are merged.
_TEXT_ATTRIBUTES = frozenset({"alt", "title"})
_LINKS = {"href": ("mj-", "a", "area"), "src": ("mj-", "img")}
_LINK_ATTRIBUTES = frozenset(
    {"action", "background", "background-url", "href", "src", "srcset", "thumbnails-src"}
)
_BAD_SCHEME = re.compile(r"(?:javascript|vbscript|data|file):", re.IGNORECASE)
_BLANKS = re.compile(r"[\x00-\x20]+")


class Checker:
    """Checks one protected source. Reading goes on after a fault as far as that makes sense."""

    def __init__(self, where: str, source: str, placeholders: Placeholders) -> None:
        self.where = where
        self.source = source
        self.placeholders = placeholders
        self.problems: list[Problem] = []
        self._open: list[Tag] = []

    def check(self) -> list[Problem]:
        """Return every mistake, in order of appearance."""
        try:
            for piece in read(self.source):
                if isinstance(piece, Tag):
                    self._tag(piece)
                elif isinstance(piece, Text):
                    self._text(piece)
                else:
                    self._comment(piece)
            if self._open:
                raise SourceError(
                    _("<{name}> is never closed.").format(name=self._open[-1].name), self._open[-1].start
                )
        except SourceError as error:
            self._report(error.message, error.offset)
        return self.problems

    def _tag(self, tag: Tag) -> None:
        if tag.closing:
            self._close(tag)
            return
        self._check_name(tag)
        for attribute in tag.attributes:
            self._check_attribute(tag, attribute)
        if not tag.empty:
            self._open.append(tag)
            if len(self._open) > MAX_DEPTH:
                raise SourceError(
                    _("Elements are nested too deeply (more than {count}).").format(count=MAX_DEPTH),
                    tag.start,
                )

    def _close(self, tag: Tag) -> None:
        if self._open and self._open[-1].name == tag.name:
            self._open.pop()
            return
        if not self._open:
            raise SourceError(_("</{name}> closes nothing.").format(name=tag.name), tag.start)
        raise SourceError(
            _("</{name}> stands where </{expected}> was expected.").format(
                name=tag.name, expected=self._open[-1].name
            ),
            tag.start,
        )

    def _check_name(self, tag: Tag) -> None:
        parent = self._open[-1].name if self._open else ""
        message = self._no_placeholder(tag.name) or name_problem(tag.name, parent)
        if message:
            self._report(message, tag.start)

    def _check_attribute(self, tag: Tag, attribute: Attribute) -> None:
        message = self._no_placeholder(attribute.name) or self._attribute_problem(tag, attribute)
        if message:
            self._report(message, attribute.offset)

    def _attribute_problem(self, tag: Tag, attribute: Attribute) -> str:
        name, value = attribute.name.lower(), attribute.value or ""
        if name.startswith("on"):
            return _("Remove “{name}”: scripts do not run in mails.").format(name=attribute.name)
        if name in _LINK_ATTRIBUTES and _BAD_SCHEME.match(_BLANKS.sub("", html.unescape(value))):
            return _("Only https, http, mailto and tel links work in mails.")
        if self.placeholders.find(value) and not _takes_placeholders(tag.name, name):
            return _("Placeholders work in href, src, alt and title, not in “{name}”.").format(
                name=attribute.name
            )
        return ""

    def _no_placeholder(self, name: str) -> str:
        if self.placeholders.find(name):
            return _("A placeholder may stand in text or in the quotes of an attribute, not here.")
        return ""

    def _comment(self, comment: Comment) -> None:
        parent = self._open[-1].name if self._open else ""
        if parent in CHILDREN and "[" in comment.text[:7]:
            self._report(_("Put conditional comments into <mj-raw>."), comment.start)

    def _text(self, text: Text) -> None:
        parent = self._open[-1].name if self._open else ""
        if text.text.strip() and parent in CHILDREN:
            offset = text.start + len(text.text) - len(text.text.lstrip())
            self._report(_("Put this text into <mj-text> or <mj-raw>."), offset)
        if parent == "style" and self.placeholders.find(text.text):
            self._report(_("Placeholders do not work in styles."), text.start)

    def _report(self, message: str, offset: int) -> None:
        # Positions count in what the editor wrote, not in what the tokens made of it.
        original = self.placeholders.unprotect(self.source)
        position = self.placeholders.source_offset(self.source, offset)
        self.problems.append(at_offset(self.where, message, original, position))


def _takes_placeholders(tag: str, attribute: str) -> bool:
    if attribute in _TEXT_ATTRIBUTES:
        return True
    return any(tag == name or (name == "mj-" and tag.startswith(name)) for name in _LINKS.get(attribute, ()))
