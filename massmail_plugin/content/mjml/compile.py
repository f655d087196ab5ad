"""Calling mrml, the MJML compiler."""

from __future__ import annotations

import re

from mjml import mjml2html

# XML knows no control characters; they come with text pasted from word processors.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_html(source: str) -> str:
    """Return the HTML of a whole MJML document. Raises ``ValueError`` with mrml's few words."""
    return mjml2html(_NOT_IN_XML.sub(" ", source).replace("\r\n", "\n").replace("\r", "\n"))
