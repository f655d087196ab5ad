"""Leaving by the link in a mail, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from massmail_plugin import tokens
from massmail_plugin.feedback import events, evidence
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.feedback.receipts import Receipt
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.leaving import left_by
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress


class TestMailLink(Exception):
    """The link is one of a test mail: it belongs to nobody and must change nothing."""

    __test__ = False


class ErasedPerson(Exception):
    """Nothing is known of the owner of the link any more, and nothing is mailed to them."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom an opt-out link was made for. The delivery may be gone; the wish is still obeyed."""

    token: str
    address: EmailAddress
    delivery: Delivery | None

    @property
    def scopes(self) -> list[Scope]:
        """What the link opts out of; everything, when nobody knows any more which lists it was."""
        return scopes_of(self.delivery) if self.delivery else [Scope()]


def scopes_of(delivery: Delivery) -> list[Scope]:
    """Return what the opt-out link of a mail opts out of; never nothing, an opt-out must not be without effect."""
    return delivery.run.opt_out_scopes or [Scope()]


def bearer_of(token: str, purpose: tokens.Purpose = tokens.Purpose.OPT_OUT) -> Bearer:
    """Return whom an opt-out token, or one for the preference page, was made for.

    Raises ``tokens.BadToken`` (also when the address is no longer known), :class:`TestMailLink` or
    :class:`ErasedPerson`.
    """
    delivery_id, address_id = tokens.read(purpose, token, count=2)
    if delivery_id == 0 and (address_id == 0 or purpose is tokens.Purpose.OPT_OUT):
        raise TestMailLink
    address = EmailAddress.objects.filter(pk=address_id).first()
    if address is None:
        raise tokens.BadToken
    if address.erased_since:
        raise ErasedPerson
    return Bearer(token, address, _delivery(delivery_id, address))


def _delivery(delivery_id: int, address: EmailAddress) -> Delivery | None:
    deliveries = Delivery.objects.select_related("run", "account")
    return deliveries.filter(pk=delivery_id, address=address).first()


def still_in(address: EmailAddress, scopes: list[Scope]) -> list[Scope]:
    """Return those of ``scopes`` from which mails may still come."""
    if address.opted_out_since:
        return []
    left = left_by(address, [scope.key for scope in scopes])
    return [scope for scope in scopes if scope.key not in left]


def opt_out(bearer: Bearer, scopes: list[Scope], how: How) -> Receipt:
    """Opt out of ``scopes``; repeating is harmless.

    What had been left before is written down again only if it is said in another way: that is another no, which an
    undo of the first one must not take back.
    """
    with transaction.atomic():
        # The lock lets two requests at once (a double click, a provider that repeats) act one after the other.
        address = EmailAddress.objects.select_for_update().get(pk=bearer.address.pk)
        changed = still_in(address, scopes)
        again = [scope for scope in scopes if scope not in changed and _last_no(address, scope) != how.method]
        consent.opt_out(address, [*changed, *again], how)
        if bearer.delivery and changed:
            record(bearer.delivery, DeliveryEvent.Kind.OPTED_OUT, changed)
        elif bearer.delivery:
            evidence.settle_doubt(bearer.delivery, evidence.Trace.OPT_OUT_PAGE)
        return Receipt(tuple(changed), last_event(address))


def _last_no(address: EmailAddress, scope: Scope) -> str:
    """Return how the address last opted out of this; empty if it has not said so of this very scope."""
    said = ConsentEvent.objects.filter(address=address, kind=ConsentEvent.Kind.OPT_OUT, scope=scope.key)
    return said.order_by("-pk").values_list("method", flat=True).first() or ""


def undo(bearer: Bearer, receipt: Receipt, how: How) -> list[Scope]:
    """Take back what ``receipt`` says was done; returns what may be mailed again.

    What the person has said since then, here or elsewhere, stays.
    """
    with transaction.atomic():
        address = EmailAddress.objects.select_for_update().get(pk=bearer.address.pk)
        kinds = (ConsentEvent.Kind.OPT_OUT, ConsentEvent.Kind.OPT_IN)
        later = ConsentEvent.objects.filter(address=address, pk__gt=receipt.last_event, kind__in=kinds)
        said_again = set(later.values_list("scope", flat=True))
        scopes = [scope for scope in receipt.scopes if scope.key not in said_again]
        joined = [scope for scope in receipt.joined if scope.key not in said_again]
        if address.complained_since:
            scopes = [scope for scope in scopes if scope.key]
        consent.opt_in(address, scopes, how)
        consent.opt_out(address, joined, how)
        address.refresh_from_db()
        if bearer.delivery and scopes and still_in(address, bearer.scopes) == bearer.scopes:
            record(bearer.delivery, DeliveryEvent.Kind.OPTED_IN, scopes)
    return scopes


def record(delivery: Delivery, kind: DeliveryEvent.Kind, scopes: list[Scope]) -> None:
    """Count an opt-out, or its end, for the mailing of this mail."""
    labels = ", ".join(scope.label for scope in scopes if scope.label)
    events.record(delivery, events.Fact(kind, timezone.now(), detail=labels))


def last_event(address: EmailAddress) -> int:
    """Return the number of the last thing that was said for this address; 0: nothing yet."""
    said = ConsentEvent.objects.filter(address=address)
    return said.order_by("-pk").values_list("pk", flat=True).first() or 0
