"""The filters of the merge language. All work on plain text; HTML is escaped when a value is written out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote_plus

from django.utils.formats import date_format
from liquid.builtin.filters import misc, string

_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:|#$)", re.IGNORECASE)
_BARE_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:[/?#:]|$)")
_LONGEST_FORMAT = 50


def default(value: Any, fallback: Any = "") -> Any:
    """Return ``fallback`` for a value that is missing, None, false or blank; 0 counts as a value."""
    if value is None or value is False or str(value).strip() == "":
        return fallback
    return value


def date(value: Any, pattern: Any = "") -> str:
    """Format a date: by a strftime pattern ("%d.%m.%Y"), or without one as the site's language does."""
    if value is None or value == "":
        return ""
    if not pattern:
        return date_format(value) if isinstance(value, dt.date) else str(value)
    # A strftime width such as %9999999Y would ask the C library for a string of that size.
    if len(str(pattern)) > _LONGEST_FORMAT or re.search(r"%[^a-zA-Z%]*\d", str(pattern)):
        return str(value)
    if isinstance(value, dt.date):
        return value.strftime(str(pattern))
    return str(value)


def round_number(value: Any, digits: Any = 0) -> Any:
    """Round a number to ``digits`` places (0 to 10); what is not a number stays as it is."""
    try:
        places = min(max(int(digits), 0), 10)
        return f"{Decimal(str(value)):.{places}f}"
    except (InvalidOperation, ValueError, TypeError):
        return value


def safe_link(value: Any) -> str:
    """Return a merged value that starts a link, or "#" when it is not http, https, mailto or tel.

    A bare domain gets ``https://``. Applied by the compiler to every placeholder at the start of a link,
    so that a contact's "website" can never be ``javascript:``.
    """
    url = "" if value is None else str(value).strip()
    if _SAFE_LINK.match(url):
        return url
    return f"https://{url}" if _BARE_DOMAIN.match(url) else "#"


def url_encode(value: Any) -> str:
    """Return ``value`` for use inside a URL."""
    return quote_plus("" if value is None else str(value))


FILTERS: dict[str, Callable[..., Any]] = {
    "append": string.append,
    "capitalize": string.capitalize,
    "date": date,
    "default": default,
    "downcase": string.downcase,
    "prepend": string.prepend,
    "round": round_number,
    "safe_link": safe_link,
    "size": misc.size,
    "strip": string.strip,
    "truncate": string.truncate,
    "truncatewords": string.truncatewords,
    "upcase": string.upcase,
    "url_encode": url_encode,
}
