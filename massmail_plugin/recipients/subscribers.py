"""People who are known only to mass mailing, and how they are mailed."""

from __future__ import annotations

from massmail_plugin.recipients.addresses import parse_address
from massmail_plugin.recipients.models import Subscriber
from massmail_plugin.recipients.registry import register
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


def ensure_subscriber(email: str, *, name: str = "", language: str = "") -> tuple[Subscriber, bool]:
    """Return the subscriber with this address and whether they are new. Raises ``MalformedAddress``.

    What was known stays as it was; a name or a language that was not known is filled in. Safe if two
    callers come at the same moment.
    """
    parsed = parse_address(email)
    email = email.strip()
    known = {
        "email": email if len(email) <= 254 else parsed.envelope,
        "name": name.strip()[:255],
        "language": language.strip()[:35],
    }
    subscriber, created = Subscriber.objects.get_or_create(key=parsed.key, defaults=known)
    if not created:
        _fill_in(subscriber, known["name"], known["language"])
    return subscriber, created


def _fill_in(subscriber: Subscriber, name: str, language: str) -> None:
    for field, value in (("name", name), ("language", language)):
        if value and not getattr(subscriber, field):
            setattr(subscriber, field, value)
            Subscriber.objects.filter(pk=subscriber.pk, **{field: ""}).update(**{field: value})
