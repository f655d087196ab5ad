"""Keeping ``{{ … }}`` and ``{% … %}`` whole on their way through templates, MJML and HTML."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Iterator

_OPENING = re.compile(r"\{(?=[{%])")
# In rich text the editor may have put a tag inside: "{{ contact.<b>first_name</b> }}".
_INLINE = r"(?:[^<>]|</?(?:a|b|em|i|span|strong)\b[^<>]*>)*?"
_IN_HTML = re.compile(r"\{\{" + _INLINE + r"\}\}|\{%" + _INLINE + r"%\}")
_TAG = re.compile(r"<[^<>]*>")
_TAG_PAIR = re.compile(r"<(\w+)[^<>]*>([^<]*)</\1>")
# Draftail knows no links to placeholders, but it does know links to "#anchors", which mean nothing in a mail.
_ANCHOR = re.compile(r'href="#((?:unsubscribe_url|preferences_url|view_url)|(?:contact|tracking)\.[\w.-]+)"')


class Placeholders:
    """The placeholders of one mail. They travel as opaque ASCII words and come back unchanged."""

    def __init__(self) -> None:
        # Random, so that no text of an editor can look like one of our words.
        self._prefix = f"mm{secrets.token_hex(6)}x"
        self._sources: list[str] = []
        self._token = re.compile(re.escape(self._prefix) + r"(\d+)x")

    def add(self, source: str) -> str:
        """Return a new token that stands for ``source``."""
        self._sources.append(source)
        return f"{self._prefix}{len(self._sources) - 1}x"

    def protect(self, text: str) -> str:
        """Return plain ``text`` (or MJML source) with tokens for its placeholders."""
        parts, written = [], 0
        for start, end in _spans(text):
            parts += [text[written:start], self.add(text[start:end])]
            written = end
        return "".join([*parts, text[written:]])

    def protect_html(self, markup: str) -> str:
        """Return HTML with tokens for its placeholders, whose quotes may be HTML entities."""
        markup = _ANCHOR.sub(lambda found: f'href="{self.add("{{ " + found[1] + " }}")}"', markup)
        return _IN_HTML.sub(self._add_from_html, markup)

    def restore(self, text: str) -> str:
        """Return ``text`` in the merge language: tokens become placeholders, other braces stay text."""
        parts = self._token.split(text)
        sources = [self._sources[int(number)] for number in parts[1::2]] + [""]
        return "".join(_literal(text) + source for text, source in zip(parts[::2], sources, strict=True))

    def unprotect(self, text: str) -> str:
        """Return ``text`` as the editor wrote it."""
        return self._token.sub(lambda found: self._sources[int(found[1])], text)

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """Return (start, end, source) for each token in ``text``."""
        return [
            (found.start(), found.end(), self._sources[int(found[1])]) for found in self._token.finditer(text)
        ]

    def source_offset(self, text: str, offset: int) -> int:
        """Return where ``offset`` of a protected text was before it was protected."""
        shift = 0
        for start, end, source in self.find(text):
            if end > offset:
                return min(offset, start) + shift if start < offset else offset + shift
            shift += len(source) - (end - start)
        return offset + shift

    def mentions(self, text: str, name: str) -> bool:
        """Return whether a placeholder in the protected ``text`` names ``name``."""
        return any(re.search(rf"\b{re.escape(name)}\b", source) for _start, _end, source in self.find(text))

    def _add_from_html(self, found: re.Match[str]) -> str:
        # Formatting of a part of a placeholder is dropped; a tag that begins or ends outside goes behind it.
        source, count = found.group(), 1
        while count:
            source, count = _TAG_PAIR.subn(r"\2", source)
        return self.add(html.unescape(_TAG.sub("", source))) + "".join(_TAG.findall(source))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each placeholder. In linear time, also for a text of nothing but "{{"."""
    position, unclosed = 0, set()
    while found := _OPENING.search(text, position):
        start = found.start()
        closing = "}}" if text[start + 1] == "{" else "%}"
        end = -1 if closing in unclosed else text.find(closing, start + 2)
        if end >= 0:
            yield start, end + 2
        else:
            unclosed.add(closing)
        position = end + 2 if end >= 0 else start + 1


def _literal(text: str) -> str:
    if "{{" not in text and "{%" not in text:
        return text
    return re.sub(r"\{[{%]", lambda found: '{{ "' + found.group() + '" }}', text)
