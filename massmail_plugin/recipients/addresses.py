"""From the text in a record to one address: what is written on the wire, and the key that makes it unique."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

#: What nearly every record holds: needs no library, takes a microsecond, and databases understand it too. Domains in
#: A-labels ("xn--") are none of it, and long ones: to count in a pattern costs PostgreSQL ten times as much.
PLAIN = (
    r"^[A-Za-z0-9_%+'-]+(?:\.[A-Za-z0-9_%+'-]+)*"
    r"@(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z][A-Za-z]+$"
)
#: Longest local part, in octets (RFC 5321 4.5.3.1.1), and longest domain that is plain: no label of it is too long.
MAX_LOCAL, MAX_PLAIN_DOMAIN = 64, 63
_MAX_ADDRESS = 254
_PLAIN = re.compile(PLAIN)


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
    if _PLAIN.fullmatch(text):
        local, _at, domain = text.rpartition("@")
        if len(local) <= MAX_LOCAL and len(domain) <= MAX_PLAIN_DOMAIN:
            return ParsedAddress(key=text.lower(), envelope=f"{local}@{domain.lower()}")
    return _parse_unusual(text)


def key_of(email: str | None) -> str:
    """Return the key of an address as somebody has written it; empty if it is none."""
    try:
        return parse_address(email or "").key
    except MalformedAddress:
        return ""


def _parse_unusual(text: str) -> ParsedAddress:
    try:
        parsed = validate_email(unicodedata.normalize("NFKC", text), check_deliverability=False)
    except EmailNotValidError as error:
        raise MalformedAddress(str(error)) from error
    local, domain = parsed.local_part, parsed.ascii_domain.lower()
    # The library accepts 65 octets; RFC 5321 4.5.3.1.1 allows 64.
    if len(local.encode()) > MAX_LOCAL or len(local) + 1 + len(domain) > _MAX_ADDRESS:
        raise MalformedAddress(_("The address is too long."))
    return ParsedAddress(key=f"{local.lower()}@{domain}", envelope=f"{local}@{domain}")
