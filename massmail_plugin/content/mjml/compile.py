"""Calling mrml, the MJML compiler."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from mjml import mjml2html

from massmail_plugin.content.mjml.source import VOID_ELEMENTS

#: Elements inside each other. mrml ends the whole process with a segmentation fault at some thousands, and
#: rich text brings any depth: it need not have been typed in the editor.
MAX_DEPTH = 300

# Possessive: linear time.
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>]*+)((?:[^<>\"']|\"[^\"]*+\"|'[^']*+')*)>")
# XML knows no control characters; they come with text pasted from word processors.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_html(source: str) -> str:
    """Return the HTML of a whole MJML document. Raises ``ValueError`` with mrml's few words."""
    if _depth(source) > MAX_DEPTH:
        raise ValueError(_("elements are nested too deeply"))
    return mjml2html(_NOT_IN_XML.sub(" ", source).replace("\r\n", "\n").replace("\r", "\n"))


def _depth(source: str) -> int:
    """Return how deep elements stand inside each other, as far as their tags can be read."""
    depth = deepest = 0
    for found in _TAG.finditer(source):
        closing, name, rest = found.groups()
        if closing:
            depth -= 1
        elif not rest.endswith("/") and name.lower() not in VOID_ELEMENTS:
            depth += 1
            deepest = max(deepest, depth)
    return deepest
