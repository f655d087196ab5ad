"""Receipts: what a visitor has just changed, signed, so that only the browser that did it can take it back.

Who only has the mail (forwarded, say) has no receipt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.core import signing

from massmail_plugin import conf
from massmail_plugin.recipients.consent import Scope
from massmail_plugin.recipients.models import EmailAddress

_SALT = "massmail_plugin.receipts"
#: Seconds for which a change can be taken back.
UNDO_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one request changed, and the last word of the address at that moment."""

    #: Left with it.
    scopes: tuple[Scope, ...]
    last_event: int
    #: Joined with it, or come back to.
    joined: tuple[Scope, ...] = ()


def sign(address: EmailAddress, receipt: Receipt) -> str:
    """Return the receipt as text."""
    payload = {
        "address": address.pk,
        "left": [scope.key for scope in receipt.scopes],
        "joined": [scope.key for scope in receipt.joined],
        "last": receipt.last_event,
    }
    return signing.dumps(payload, key=conf.secret_keys()[0], salt=_SALT, compress=True)


def read(address: EmailAddress, signed: str, known: Iterable[Scope]) -> Receipt | None:
    """Return the receipt in ``signed``; None if it is forged, old, or of another address.

    ``known``: scopes with the labels that the receipt's are to have.
    """
    key, *older = conf.secret_keys()
    try:
        payload = signing.loads(signed, key=key, salt=_SALT, max_age=UNDO_SECONDS, fallback_keys=[*older])
    except signing.BadSignature:
        return None
    if payload["address"] != address.pk:
        return None
    labels = {scope.key: scope.label for scope in known}
    left, joined = (
        tuple(Scope(key, labels.get(key, "")) for key in payload[name]) for name in ("left", "joined")
    )
    return Receipt(left, payload["last"], joined)
