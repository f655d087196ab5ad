"""Text that goes into a header of a mail."""

from __future__ import annotations

import re

# Django refuses only CR and LF in a header. U+000B, U+000C, U+001C-1E, U+0085 and U+2028/9 are line breaks
# for ``str.splitlines``, which the email package uses: one of them in a name ends the header early, and
# From, To and Date land in the body. A lone surrogate cannot be encoded at all.
_NOT_FOR_HEADERS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]+")
_SPACES = re.compile(" {2,}")
_ELLIPSIS = "…"


def clean_header(text: str, max_length: int = 250) -> str:
    """Return ``text`` as one line that is safe in any header, at most ``max_length`` characters long.

    Control characters become a space; runs of spaces become one; what is too long ends in an ellipsis.
    """
    line = _SPACES.sub(" ", _NOT_FOR_HEADERS.sub(" ", text)).strip()
    if len(line) <= max_length:
        return line
    return line[: max_length - 1].rstrip() + _ELLIPSIS
