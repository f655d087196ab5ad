"""Which column of a file is what, and what a row says about a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from massmail_plugin.audience.importing.faults import RowFault, RowRefused
from massmail_plugin.recipients.addresses import MalformedAddress, ParsedAddress, parse_address

#: Headings as other programs write them, in small letters and without punctuation, by what they mean.
_KNOWN_HEADINGS = {
    "address": {
        "email", "e mail", "mail", "email address", "e mail address", "mail address", "emailaddress", "primary email",
        "email 1", "e mail 1 value", "emailadresse", "e mail adresse", "mailadresse", "adresse e mail", "adresse email",
        "courriel", "correo", "correo electronico", "indirizzo email", "e mailadres",
    },
    "name": {
        "name", "full name", "fullname", "display name", "first name", "firstname", "given name", "vorname", "prenom",
        "prénom", "nombre", "nome", "contact",
    },
    "last_name": {
        "last name", "lastname", "surname", "family name", "nachname", "familienname", "nom", "apellido", "cognome",
    },
    "language": {"language", "lang", "locale", "sprache", "langue", "idioma", "lingua"},
}  # fmt: skip
#: Any of them would be told from other letters and digits by nobody.
_UNREADABLE = re.compile("[\x00\ufffd\ud800-\udfff]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True)
class Columns:
    """Numbers of columns, from 0; None: the file has no such column."""

    address: int
    #: The whole name, or the first name.
    name: int | None = None
    last_name: int | None = None
    language: int | None = None

    def as_json(self) -> dict[str, int | None]:
        return {
            "address": self.address,
            "name": self.name,
            "last_name": self.last_name,
            "language": self.language,
        }


@dataclass(frozen=True, slots=True)
class Person:
    """What one row says."""

    number: int
    address: ParsedAddress
    email: str
    name: str
    language: str


def storable(cells: Sequence[str]) -> list[str]:
    """Return the cells without what databases refuse; that something was there stays to be seen."""
    return [_UNREADABLE.sub("\ufffd", cell) for cell in cells]


def read_person(number: int, cells: Sequence[str], columns: Columns, width: int) -> Person:
    """Return the person in a row of a file with ``width`` columns. Raises :class:`RowRefused`."""
    if any(cell.strip() for cell in cells[width:]):
        raise RowRefused(RowFault.TOO_MANY_CELLS)
    shown_name, email = _address_in(_cell(cells, columns.address))
    name = (
        " ".join(" ".join(_cell(cells, each) for each in (columns.name, columns.last_name)).split())
        or shown_name
    )
    if _UNREADABLE.search(email) or _UNREADABLE.search(name):
        raise RowRefused(RowFault.UNREADABLE)
    if not email:
        raise RowRefused(RowFault.NO_ADDRESS)
    if len(name) > 255:
        raise RowRefused(RowFault.LONG_NAME)
    try:
        address = parse_address(email)
    except MalformedAddress as error:
        raise RowRefused(RowFault.MALFORMED, str(error)) from error
    name = "".join(letter for letter in name if letter.isprintable())
    return Person(number, address, email, name, _language(_cell(cells, columns.language)))


def _cell(cells: Sequence[str], column: int | None) -> str:
    return cells[column].strip() if column is not None and column < len(cells) else ""


def _address_in(text: str) -> tuple[str, str]:
    """Return (name, address); mail programs write "Ada <ada@example.org>" and web pages "mailto:ada@example.org"."""
    if text.endswith(">") and "<" in text and "\n" not in text:
        name, address = parseaddr(text)
        if address:
            return name, address
    return "", text[7:] if text.lower().startswith("mailto:") else text


def _language(text: str) -> str:
    return text.lower().replace("_", "-") if _LANGUAGE.fullmatch(text) else ""


def seem_to_have_headings(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns: then no address is in it."""
    return bool(rows) and not any("@" in cell for cell in rows[0])


def guess_columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return which columns are what, by their headings and by where addresses are; nothing where two would do."""
    guessed: dict[str, int] = {}
    for field, known in _KNOWN_HEADINGS.items():
        matching = [number for number, heading in enumerate(headings) if _plain(heading) in known]
        if len(matching) == 1 or (matching and field == "name"):
            guessed[field] = matching[0]
    by_address = Counter(number for row in rows for number, cell in enumerate(row) if "@" in cell)
    most = by_address.most_common(2)
    named_twice = any(
        _plain(headings[number]) in _KNOWN_HEADINGS["address"]
        for number, _n in most
        if number < len(headings)
    )
    if "address" not in guessed and most and not (named_twice and len(most) > 1):
        guessed["address"] = most[0][0]
    return guessed


def _plain(heading: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", heading.lower()).split())


def repeated(headings: Sequence[str]) -> list[str]:
    """Return the headings that several columns have."""
    counts = Counter(heading.strip().lower() for heading in headings if heading.strip())
    return list(dict.fromkeys(heading for heading in headings if counts[heading.strip().lower()] > 1))


def letter(column: int) -> str:
    """Return what spreadsheet programs call the column with this number, from 0: A, B, ... Z, AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def columns_from(stored: Mapping[str, Any]) -> Columns:
    return Columns(**stored)
