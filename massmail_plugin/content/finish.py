"""What is done to the HTML after MJML: links, images, preview line, counting pixel."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from massmail_plugin.content.compiled import LINK_LIMIT
from massmail_plugin.content.markup import Attributes, change_tags
from massmail_plugin.content.placeholders import Placeholders

#: Variables that hold a link made by this site.
OWN_LINKS = ("unsubscribe_url", "preferences_url", "view_url", "open_url", "tracking.", "links[")

_ALLOWED = re.compile(r"(?:https?://|mailto:|tel:|#|/)", re.IGNORECASE)
_WEB_LINK = re.compile(r"https?://", re.IGNORECASE)
# Mail programs warn of a text that names one address and leads to another.
_LOOKS_LIKE_ADDRESS = re.compile(
    r"(?:https?://|www\.)|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:/\S*)?$", re.IGNORECASE
)
_BODY = re.compile(r"<body\b[^>]*>")
_HIDDEN = (
    "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;"
    "font-size:1px;line-height:1px;color:#eef1f4;"
)
# Fills the rest of the inbox's line, so that it does not show how the mail begins.
_FILLER = "&#847;&zwnj;&nbsp;" * 40


@dataclass(slots=True)
class Finisher:
    """Finishes one mail's HTML, in which placeholders are still tokens."""

    placeholders: Placeholders
    base_url: str
    links: list[str] = field(default_factory=list)

    def repair_tags(self, markup: str) -> str:
        """Make links and images absolute and safe; give every image an ``alt``."""
        return change_tags(markup, self._repair)

    def track_links(self, markup: str) -> str:
        """Put a numbered placeholder into each plain web link and remember where it led."""
        return change_tags(markup, self._track)

    def add_preheader(self, markup: str, preheader: str) -> str:
        """Insert the preview line, unseen in the opened mail."""
        if not preheader.strip():
            return markup
        text = html.escape(self.placeholders.protect(preheader))
        hidden = f'<div style="{_HIDDEN}">{text}{_FILLER}</div>'
        return _BODY.sub(lambda found: found.group() + hidden, markup, count=1)

    def add_pixel(self, markup: str) -> str:
        """Append the picture that counts opens."""
        source = self.placeholders.add("{{ open_url }}")
        pixel = f'<img src="{source}" width="1" height="1" alt="" style="display:block;border:0;" />'
        head, end, tail = markup.rpartition("</body>")
        return head + pixel + end + tail

    def _repair(self, name: str, attributes: Attributes, content: str) -> None:
        if name == "img":
            attributes.setdefault("alt", "")
        key = "src" if name == "img" else "href"
        if key in attributes:
            attributes[key] = self._absolute(self._safe(attributes[key].strip()))

    def _absolute(self, url: str) -> str:
        if url.startswith("//"):
            return f"https:{url}"
        return f"{self.base_url.rstrip('/')}{url}" if url.startswith("/") else url

    def _safe(self, url: str) -> str:
        """Return a link that cannot run anything, whatever a contact's fields hold."""
        tokens = self.placeholders.find(url)
        beginning = url[: tokens[0][0]] if tokens else url
        if beginning or not tokens:
            return url if _ALLOWED.match(beginning) else "#"
        if any(source.startswith("{%") for _start, _end, source in tokens):
            return self._safe_choice(url, tokens)
        _start, end, source = tokens[0]
        return self._checked_when_rendered(source) + url[end:]

    def _safe_choice(self, url: str, tokens: list[tuple[int, int, str]]) -> str:
        """Return a link that begins with a condition if every text that it may begin with is written out."""
        has_values = any(source.startswith("{{") for _start, _end, source in tokens)
        ends = [start for start, _end, _source in tokens[1:]] + [len(url)]
        texts = [url[end:after] for (_start, end, _source), after in zip(tokens, ends, strict=True)]
        is_safe = not has_values and all(_ALLOWED.match(text) for text in texts if text)
        return url if is_safe else "#"

    def _checked_when_rendered(self, source: str) -> str:
        expression = source[2:-2].strip("- \t\n")
        if expression.startswith(OWN_LINKS):
            return self.placeholders.add(source)
        return self.placeholders.add(f"{{{{ {expression} | safe_link }}}}")

    def _track(self, name: str, attributes: Attributes, content: str) -> None:
        url = attributes.get("href", "")
        if name == "img" or not _WEB_LINK.match(url) or self.placeholders.find(url):
            return
        if _LOOKS_LIKE_ADDRESS.match(content) or len(url) > LINK_LIMIT:
            return
        if url not in self.links:
            self.links.append(url)
        attributes["href"] = self.placeholders.add(f"{{{{ links[{self.links.index(url)}] }}}}")
