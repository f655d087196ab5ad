"""People who were erased: nothing is known of them any more but that they must not be mailed.

In place of the address stands a keyed hash of it. Whoever meets an address can ask whether it is one of them; nobody
can read out of the database who they were without guessing addresses, and with the pepper in hand.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from itertools import islice

from django.db import transaction
from django.utils import timezone

from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ErasurePepper, ListOptOut

#: How the keys of erased addresses begin. No address can: it would need an "@".
PREFIX = "erased:"
#: Keys about which one query asks; SQLite takes 32,766 values in one.
_AT_ONCE = 20_000


def erased_keys(keys: Iterable[str]) -> set[str]:
    """Return those of ``keys`` (``ParsedAddress.key``) whose owners were erased and must not be mailed.

    One query as long as nobody was ever erased; afterwards one more for each 20,000 keys.
    """
    pepper = _known_pepper()
    if pepper is None:
        return set()
    found: set[str] = set()
    rest = iter(keys)
    while chunk := list(islice(rest, _AT_ONCE)):
        by_hash = {_hashed(pepper, key): key for key in chunk}
        rows = EmailAddress.objects.filter(key__in=list(by_hash), erased_since__isnull=False)
        found.update(by_hash[row] for row in rows.values_list("key", flat=True))
    return found


def has_erased() -> bool:
    """Return whether anybody was ever erased."""
    return _known_pepper() is not None


def erase_address(key: str, how: How) -> EmailAddress:
    """Erase what the consent ledger knows of an address and its person, whether or not it was known before.

    What was said and when stays, without the proofs and reasons, which may name somebody.
    """
    with transaction.atomic():
        pepper, _created = ErasurePepper.objects.get_or_create(pk=1)
        hashed = _hashed(pepper.pepper, key)
        EmailAddress.objects.get_or_create(key=key)
        address = EmailAddress.objects.select_for_update().get(key=key)
        _make_place(hashed)
        ConsentEvent.objects.filter(address=address).update(reason="", proof={})
        ListOptOut.objects.filter(address=address).delete()
        now = timezone.now()
        EmailAddress.objects.filter(pk=address.pk).update(
            key=hashed, erased_since=now, opted_out_since=now, invalid_reason=""
        )
        consent.record_erasure(address, how)
    address.refresh_from_db()
    return address


def come_back(key: str) -> None:
    """Let an address that was erased be a known one again: its owner has signed up anew, and proved it.

    It has still left everything: what erasing has forgotten may have been opt-outs. ``consent.come_in`` makes them
    opt-outs of all but what the owner wants now.
    """
    pepper = _known_pepper()
    if pepper is None:
        return
    with transaction.atomic():
        erased = EmailAddress.objects.select_for_update().filter(key=_hashed(pepper, key)).first()
        if erased is None:
            return
        if EmailAddress.objects.filter(key=key).exists():
            _make_place(erased.key)
            EmailAddress.objects.filter(key=key, opted_out_since=None).update(
                opted_out_since=erased.opted_out_since or erased.erased_since
            )
        else:
            EmailAddress.objects.filter(pk=erased.pk).update(key=key, erased_since=None)


def _make_place(hashed: str) -> None:
    """Move a row that has this hash out of the way; it stays erased, for the mails that hang on it."""
    for row in EmailAddress.objects.filter(key=hashed):
        EmailAddress.objects.filter(pk=row.pk).update(key=f"{hashed}:{row.pk}")


def _known_pepper() -> str | None:
    return ErasurePepper.objects.filter(pk=1).values_list("pepper", flat=True).first()


def _hashed(pepper: str, key: str) -> str:
    return PREFIX + hmac.digest(pepper.encode(), key.encode(), "sha256").hex()
