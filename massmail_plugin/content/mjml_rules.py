"""Which elements may stand where in MJML written by hand, and repairs before it is compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from massmail_plugin.content.mjml_source import Attribute, Comment, SourceError, Tag, Text, read
from massmail_plugin.content.placeholders import Placeholders
from massmail_plugin.content.problems import Problem, at_offset

#: Elements nested deeper than this are refused.
MAX_DEPTH = 100

_IN_COLUMN = frozenset(
    "mj-accordion mj-button mj-carousel mj-divider mj-image mj-navbar mj-raw mj-social mj-spacer mj-table mj-text".split()
)
_SECTIONS = frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"})

#: The MJML elements that may stand in each container; "" is the block itself.
CHILDREN: dict[str, frozenset[str]] = {
    "": _SECTIONS,
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _IN_COLUMN,
    "mj-hero": _IN_COLUMN,
    "mj-accordion": frozenset({"mj-accordion-element", "mj-raw"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text", "mj-raw"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link", "mj-raw"}),
    "mj-social": frozenset({"mj-social-element", "mj-raw"}),
}
#: MJML elements that hold HTML or nothing.
_LEAVES = frozenset(
    "mj-accordion-text mj-accordion-title mj-button mj-carousel-image mj-divider mj-image mj-navbar-link mj-raw "
    "mj-social-element mj-spacer mj-table mj-text".split()
)
_DOCUMENT = frozenset({"mjml", "mj-head", "mj-body"})
_NOT_IN_MAILS = frozenset(
    "applet audio base button embed form frame frameset iframe input link meta noscript object script select "
    "svg template textarea video".split()
)
_PLACEHOLDER_ATTRIBUTES = frozenset({"alt", "background-url", "href", "src", "title"})
_LINK_ATTRIBUTES = frozenset({"action", "background", "background-url", "href", "src", "srcset", "thumbnails-src"})
_BAD_SCHEME = re.compile(r"[\s\x00-\x20]*(?:javascript|vbscript|data|file)\s*:", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"(?<![\w.#%-])(\d+(?:\.\d+)?)(?=\s|$)")
_LENGTHS = re.compile(r"(?:inner-|container-)?padding(?:-(?:top|right|bottom|left))?$|icon-padding$|text-padding$")


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
            if self._open:
                raise SourceError(_("<{name}> is never closed.").format(name=self._open[-1].name), self._open[-1].start)
        except SourceError as error:
            self._report(error.message, error.offset)
        return self.problems

    def _tag(self, tag: Tag) -> None:
        if tag.closing:
            self._close(tag)
            return
        self._check_name(tag)
        for attribute in tag.attributes:
            self._check_attribute(attribute)
        if not tag.empty:
            self._open.append(tag)
            if len(self._open) > MAX_DEPTH:
                raise SourceError(_("Elements are nested too deeply (more than {count}).").format(count=MAX_DEPTH), tag.start)

    def _close(self, tag: Tag) -> None:
        if self._open and self._open[-1].name == tag.name:
            self._open.pop()
            return
        if not self._open:
            raise SourceError(_("</{name}> closes nothing.").format(name=tag.name), tag.start)
        raise SourceError(
            _("</{name}> stands where </{expected}> was expected.").format(name=tag.name, expected=self._open[-1].name),
            tag.start,
        )

    def _check_name(self, tag: Tag) -> None:
        parent = self._open[-1].name if self._open else ""
        message = name_problem(tag.name, parent, is_placeholder=bool(self.placeholders.find(tag.name)))
        if message:
            self._report(message, tag.start)

    def _check_attribute(self, attribute: Attribute) -> None:
        if self.placeholders.find(attribute.name):
            self._report(_("A placeholder may stand in text or in the quotes of an attribute, not here."), attribute.offset)
        elif attribute.name.lower().startswith("on"):
            self._report(_("Remove “{name}”: scripts do not run in mails.").format(name=attribute.name), attribute.offset)
        elif self.placeholders.find(attribute.value or "") and attribute.name.lower() not in _PLACEHOLDER_ATTRIBUTES:
            self._report(
                _("Placeholders work in href, src, alt and title, not in “{name}”.").format(name=attribute.name),
                attribute.offset,
            )
        elif attribute.name.lower() in _LINK_ATTRIBUTES and _BAD_SCHEME.match(attribute.value or ""):
            self._report(_("Only https, http, mailto and tel links work in mails."), attribute.offset)

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


def name_problem(name: str, parent: str, *, is_placeholder: bool = False) -> str:
    """Return why the element ``name`` may not stand in ``parent``, or an empty text."""
    if is_placeholder:
        return _("A placeholder may stand in text or in the quotes of an attribute, not here.")
    if name == "mj-include":
        return _("<mj-include> is not available. Copy its content here.")
    if name in _DOCUMENT:
        return _("Paste only what stands inside <mj-body>.")
    if name.lower() in _NOT_IN_MAILS:
        return _("<{name}> does not work in mails. Remove it.").format(name=name)
    if parent in CHILDREN:
        return "" if name in CHILDREN[parent] else _misplaced(name, parent)
    if name.lower().startswith("mj-"):
        return _misplaced(name, parent)
    return ""


def _misplaced(name: str, parent: str) -> str:
    if name not in CHILDREN and name not in _LEAVES:
        lower = name.lower()
        if lower != name and (lower in CHILDREN or lower in _LEAVES):
            return _("Write <{name}> in lower case.").format(name=lower)
        return _("There is no MJML element <{name}>.").format(name=name) if lower.startswith("mj-") else _(
            "HTML such as <{name}> must stand inside <mj-text> or <mj-raw>."
        ).format(name=name)
    containers = [container for container, children in CHILDREN.items() if container and name in children]
    if not parent and containers:
        return _("<{name}> must stand inside <{container}>.").format(name=name, container=containers[-1] if name != "mj-column" else "mj-section")
    return _("<{name}> may not stand inside <{parent}>.").format(name=name, parent=parent)


def repair(source: str) -> str:
    """Return checked MJML with what mrml gets wrong put right: quotes, bare numbers, void elements."""
    return "".join(_repaired(source))


def _repaired(source: str) -> Iterator[str]:
    for piece in read(source):
        if isinstance(piece, Text | Comment):
            yield piece.text
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
