"""Erasing a person: everything of ours that names them goes, and nothing is ever mailed to them again.

Records of the host project stay; whoever erases somebody there as well need not mind the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from massmail_plugin.audience.audiences import Candidate
from massmail_plugin.audience.belonging import members_of, records_with
from massmail_plugin.audience.importing import forgetting
from massmail_plugin.audience.judging import NAMELESS
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.sign_ups import SignUp
from massmail_plugin.audience.spelled import with_key
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.models.delivery import WORDLESS
from massmail_plugin.mailings.states import DeliveryState, move
from massmail_plugin.recipients import erased
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import EmailAddress, Subscriber

#: Rows of the ledger that are written at a time, so that no worker waits long for one of them.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Erased:
    """What came of erasing somebody."""

    address: EmailAddress
    #: Rows of the ledger that no longer name anybody.
    deliveries: int
    #: Memberships in target lists that have ended.
    memberships: int


def erase(key: str, how: How) -> Erased:
    """Erase the person with this address (``ParsedAddress.key``), whether or not anything was ever mailed to it.

    A mail that a server is taking at this moment still arrives; all others of this person are left out.
    """
    with transaction.atomic():
        # First, so that the fence lets nothing more pass.
        address = erased.erase_address(key, how)
        memberships, _per_model = members_of(records_with(key, hidden=True)).delete()
        Candidate.objects.filter(key=key).update(reason=Reason.ERASED, **NAMELESS)
        forgetting.forget(key)
        SignUp.objects.filter(key=key).delete()
        Subscriber.objects.filter(key=key).delete()
        deliveries = _erase_from_ledger(address, key)
    return Erased(address, deliveries, memberships)


def _erase_from_ledger(address: EmailAddress, key: str) -> int:
    # The second record with an address has a row of the ledger without it.
    twins = list(with_key(Delivery.objects.filter(address=None), "envelope", key))
    known = Delivery.objects.filter(Q(address=address) | Q(pk__in=twins))
    erased_rows = 0
    for chunk in _chunks(known.order_by("pk").values_list("pk", flat=True)):
        move(Delivery.objects.filter(pk__in=chunk), DeliveryState.SKIPPED, reason=Reason.ERASED)
        DeliveryEvent.objects.filter(delivery__in=chunk).update(detail="")
        erased_rows += Delivery.objects.filter(pk__in=chunk).update(**WORDLESS)
    return erased_rows


def _chunks(numbers: QuerySet[Delivery, int]) -> Iterator[list[int]]:
    # A list first: what is written takes rows out of what is read.
    found = list(numbers)
    for start in range(0, len(found), _CHUNK):
        yield found[start : start + _CHUNK]
