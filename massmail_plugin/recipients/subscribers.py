"""People who are known only to mass mailing, and how they are mailed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from massmail_plugin.recipients.addresses import ParsedAddress, parse_address
from massmail_plugin.recipients.models import Subscriber
from massmail_plugin.recipients.registry import for_model, register
from massmail_plugin.recipients.types import RecipientType


class SubscriberRecipients(RecipientType):
    """The recipient type that comes with the app."""

    email = "email"
    name = "name"
    language = "language"
    merge_fields = ("name",)
    search_fields = ("name", "key")


def register_type() -> None:
    """Make subscribers mailable. Called once the host's own types are known."""
    register(Subscriber)(SubscriberRecipients)


class Known(Protocol):
    """What is known about somebody: :class:`audience.importing.columns.Person`, for example."""

    @property
    def address(self) -> ParsedAddress: ...
    @property
    def email(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def language(self) -> str: ...


def ensure_subscriber(email: str, *, name: str = "", language: str = "") -> tuple[Subscriber, bool]:
    """Return the subscriber with this address and whether they are new. Raises ``MalformedAddress``.

    What was known stays as it was; a name or a language that was not known is filled in. Safe if two
    callers come at the same moment.
    """
    fresh = _subscriber(parse_address(email), email, name, language)
    known = {"email": fresh.email, "name": fresh.name, "language": fresh.language}
    subscriber, created = Subscriber.objects.get_or_create(key=fresh.key, defaults=known)
    if not created:
        _fill_in([subscriber], {fresh.key: fresh})
    return subscriber, created


def ensure_subscribers(people: Sequence[Known]) -> tuple[RecipientType, list[str], int]:
    """Do the same for many, whose addresses are all different; call it in a transaction.

    Returns the subscribers' type, their primary keys as text in no order, and how many are new.
    """
    kind = for_model(Subscriber)
    assert kind is not None
    fresh = {
        person.address.key: _subscriber(person.address, person.email, person.name, person.language)
        for person in people
    }
    known = list(Subscriber.objects.filter(key__in=list(fresh)))
    new = fresh.keys() - {subscriber.key for subscriber in known}
    # Somebody else may be adding the same people at this moment.
    Subscriber.objects.bulk_create([fresh[key] for key in new], batch_size=500, ignore_conflicts=True)
    _fill_in(known, fresh)
    ids = Subscriber.objects.filter(key__in=list(fresh)).values_list("pk", flat=True)
    return kind, [str(pk) for pk in ids], len(new)


def _subscriber(parsed: ParsedAddress, email: str, name: str, language: str) -> Subscriber:
    email = email.strip()
    return Subscriber(
        key=parsed.key,
        email=email if len(email) <= 254 else parsed.envelope,
        name=name.strip()[:255],
        language=language.strip()[:35],
    )


def _fill_in(known: Sequence[Subscriber], fresh: dict[str, Subscriber]) -> None:
    """Give those without a name or a language what has become known."""
    for field in ("name", "language"):
        changed = []
        for subscriber in known:
            value = getattr(fresh[subscriber.key], field)
            if value and not getattr(subscriber, field):
                setattr(subscriber, field, value)
                changed.append(subscriber)
        Subscriber.objects.bulk_update(changed, [field], batch_size=200)
