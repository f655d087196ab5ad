"""Keeping ``{{ … }}`` and ``{% … %}`` whole on their way through templates, MJML and HTML."""

from __future__ import annotations

import html
import re
import secrets

_IN_TEXT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# In HTML a placeholder never spans a tag: "<b>{{ a</b> }}" is left alone and reported as broken.
_IN_HTML = re.compile(r"\{\{[^<>]*?\}\}|\{%[^<>]*?%\}")
# Draftail knows no links to placeholders, but it does know links to "#anchors", which mean nothing in a mail.
_ANCHOR = re.compile(r'href="#((?:unsubscribe_url|view_url)|(?:contact|tracking)\.[\w.-]+)"')


class Placeholders:
    """The placeholders of one mail. They travel as opaque ASCII words and come back unchanged."""

    def __init__(self) -> None:
        # Random, so that no text of an editor can look like one of our words.
        self._prefix = f"mm{secrets.token_hex(6)}x"
        self._sources: list[str] = []
        self._token = re.compile(re.escape(self._prefix) + r"(\d+)x")

    def protect(self, text: str) -> str:
        """Return plain ``text`` (or MJML source) with tokens for its placeholders."""
        return _IN_TEXT.sub(lambda match: self.add(match.group()), text)

    def protect_html(self, markup: str) -> str:
        """Return HTML with tokens for its placeholders, whose quotes may be HTML entities."""
        markup = _ANCHOR.sub(lambda match: f'href="{self.add("{{ " + match[1] + " }}")}"', markup)
        return _IN_HTML.sub(lambda match: self.add(html.unescape(match.group())), markup)

    def add(self, source: str) -> str:
        """Return a new token that stands for ``source``."""
        self._sources.append(source)
        return f"{self._prefix}{len(self._sources) - 1}x"

    def restore(self, text: str) -> str:
        """Return ``text`` as a source of the merge language: tokens become placeholders, stray braces text."""
        parts = self._token.split(text)
        literals, numbers = parts[::2], parts[1::2]
        sources = [self._sources[int(number)] for number in numbers] + [""]
        return "".join(_literal(literal) + source for literal, source in zip(literals, sources, strict=True))

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """Return (start, end, source) for each token in ``text``."""
        return [
            (found.start(), found.end(), self._sources[int(found[1])]) for found in self._token.finditer(text)
        ]


def _literal(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}').replace("{%", '{{ "{%" }}') if "{" in text else text
