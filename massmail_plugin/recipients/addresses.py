"""From the text in a record to one address: what is written on the wire, and the key that makes it unique."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

# What nearly every record holds; needs no library and takes a microsecond.
_PLAIN = re.compile(
    r"[A-Za-z0-9_%+'-]+(?:\.[A-Za-z0-9_%+'-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"
)
_MAX_LOCAL, _MAX_ADDRESS = 64, 254


class MalformedAddress(ValueError):
    """The text is no address that mail could be sent to; ``str()`` says why, for people."""


@dataclass(frozen=True, slots=True)
class ParsedAddress:
    #: One key for all spellings: lower case, NFKC, IDN domain as A-labels (``xn--``).
    key: str
    #: What RCPT TO gets: the local part as written, the domain in ASCII.
    envelope: str


def parse_address(text: str) -> ParsedAddress:
    """Return the address in ``text``. Raises :class:`MalformedAddress`.

    Letter case of the local part is ignored in the key although RFC 5321 2.4 allows it to matter: no
    mailbox provider uses it, and the same person twice is the worse fault.
    """
    text = text.strip()
    if not text:
        raise MalformedAddress(_("There is no address."))
    if len(text) <= _MAX_ADDRESS and _PLAIN.fullmatch(text) and "xn--" not in text.lower():
        local, _at, domain = text.rpartition("@")
        if len(local) <= _MAX_LOCAL:
            return ParsedAddress(key=text.lower(), envelope=f"{local}@{domain.lower()}")
    return _parse_unusual(text)


def _parse_unusual(text: str) -> ParsedAddress:
    try:
        parsed = validate_email(unicodedata.normalize("NFKC", text), check_deliverability=False)
    except EmailNotValidError as error:
        raise MalformedAddress(str(error)) from error
    local, domain = parsed.local_part, parsed.ascii_domain.lower()
    # The library accepts 65 octets; RFC 5321 4.5.3.1.1 allows 64.
    if len(local.encode()) > _MAX_LOCAL or len(local) + 1 + len(domain) > _MAX_ADDRESS:
        raise MalformedAddress(_("The address is too long."))
    return ParsedAddress(key=f"{local.lower()}@{domain}", envelope=f"{local}@{domain}")
