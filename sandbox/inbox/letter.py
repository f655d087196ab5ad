"""One received mail as a person sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage

_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_HTTP_URL = re.compile(r"<(https?://[^>\s]+)>")
#: Links open beside the inbox: the frame that shows a mail may go nowhere itself.
_NEW_TAB = '<base target="_blank">'


@dataclass(frozen=True)
class Letter:
    """Reads one parsed mail; a part that is missing is an empty text."""

    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def html(self) -> str:
        html = self._body("html")
        return _HEAD.sub(lambda head: head.group() + _NEW_TAB, html, count=1) if _HEAD.search(html) else html

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.message.items()]

    @property
    def attachments(self) -> Iterator[str]:
        for part in self.message.iter_attachments():
            yield part.get_filename() or part.get_content_type()

    @property
    def one_click_url(self) -> str:
        """Where the "Unsubscribe" button of a mail program posts to (RFC 8058), or nothing."""
        if "List-Unsubscribe-Post" not in self.message:
            return ""
        found = _HTTP_URL.search(str(self.message["List-Unsubscribe"] or ""))
        return found.group(1) if found else ""

    def _body(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        return part.get_content() if part is not None else ""
