"""The text part of a mail, made from its HTML."""

from __future__ import annotations

import re

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

from massmail_plugin.content.markup import links_as_text

_STYLES = re.compile(r"<(style|title|head)\b.*?</\1>", re.DOTALL)
_BLANK_LINES = re.compile(r"\n{3,}")
_CONFIG = ParserConfig(css=CSS_PROFILES["strict"])


def from_html(markup: str) -> str:
    """Return the readable text of ``markup``, with the destination in brackets behind each link."""
    text = get_text(links_as_text(_STYLES.sub("", markup)), _CONFIG)
    lines = (line.strip() for line in text.replace("\xa0", " ").splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"
