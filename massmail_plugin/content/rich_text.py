"""Rich text as mail programs need it."""

from __future__ import annotations

import html
import re

_STYLES = {
    "p": "margin:0 0 12px;",
    "ul": "margin:0 0 12px;padding-left:24px;",
    "ol": "margin:0 0 12px;padding-left:24px;",
    "li": "margin:0 0 4px;",
    "a": "text-decoration:underline;",
}
_START_TAG = re.compile(r"<(p|ul|ol|li|a)\b([^<>]*)>")
_BLOCK_KEY = re.compile(r' data-block-key="[^"]*"')
_LINE_END = re.compile(r"</(?:p|li|h\d)>|<br\s*/?>")
_TAG = re.compile(r"<[^<>]*>")


def with_inline_styles(markup: str) -> str:
    """Return the editor's HTML with the styles on its elements: some mail programs drop style sheets."""
    markup = _BLOCK_KEY.sub("", markup).replace("]]>", "]]&gt;")  # mrml stumbles over "]]>"
    return _START_TAG.sub(lambda tag: f'<{tag[1]}{tag[2]} style="{_STYLES[tag[1]]}">', markup)


def visible_text(markup: str) -> str:
    """Return what one reads, a line for each paragraph."""
    return html.unescape(_TAG.sub("", _LINE_END.sub("\n", markup)))
