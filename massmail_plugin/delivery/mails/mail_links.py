"""The addresses in a run's mails that lead back to this site, each signed for one delivery."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

import idna
from django.urls import reverse
from django.utils.encoding import iri_to_uri

from massmail_plugin.tokens import Purpose, Signer

_PLACE = "TOKEN"


class Way:
    """One kind of address; all that its addresses have in common is worked out once."""

    def __init__(self, base_url: str, view: str) -> None:
        url = base_url + reverse(f"massmail:{view}", args=[_PLACE])
        self._before, _place, self._after = url.rpartition(_PLACE)

    def to(self, token: str) -> str:
        return f"{self._before}{token}{self._after}"


class MailLinks:
    """Makes the addresses for the mails of one run."""

    def __init__(self, base_url: str) -> None:
        base_url = _in_ascii(base_url)
        self._opt_out, self._one_click = Way(base_url, "opt_out"), Way(base_url, "one_click")
        self._click, self._view, self._open = (Way(base_url, view) for view in ("click", "view", "open"))
        self._may_opt_out, self._may_click = Signer(Purpose.OPT_OUT), Signer(Purpose.CLICK)
        self._preferences, self._may_choose = Way(base_url, "preferences"), Signer(Purpose.PREFERENCES)
        self._may_view, self._may_open = Signer(Purpose.VIEW), Signer(Purpose.OPEN)

    def opt_out(self, delivery_id: int, address_id: int) -> tuple[str, str]:
        """Return the page's address for the text, and RFC 8058's for the mail program's button."""
        token = self._may_opt_out.make(delivery_id, address_id)
        return self._opt_out.to(token), self._one_click.to(token)

    def preferences(self, delivery_id: int, address_id: int) -> str:
        """Return the address of the page on which the person chooses what to get."""
        return self._preferences.to(self._may_choose.make(delivery_id, address_id))

    def clicks(self, delivery_id: int, numbers: Iterable[int]) -> list[str]:
        """Return an address for each of the run's tracked links."""
        return [self._click.to(token) for token in self._may_click.make_each(delivery_id, numbers)]

    def view(self, delivery_id: int) -> str:
        return self._view.to(self._may_view.make(delivery_id))

    def open(self, delivery_id: int) -> str:
        return self._open.to(self._may_open.make(delivery_id))


def _in_ascii(url: str) -> str:
    """Return an address that may stand in a header: its host as A-labels (IDNA 2008)."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    host = idna.encode(parts.hostname or "", uts46=True).decode("ascii")
    port = f":{parts.port}" if parts.port else ""
    return iri_to_uri(urlunsplit(parts._replace(netloc=host + port)))
