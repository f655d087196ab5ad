"""The language of the pages behind a mail's links: that of its recipient, where the site has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.utils import translation

from massmail_plugin import recipients
from massmail_plugin.feedback.opting_out import Bearer
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.models import Subscriber


@contextmanager
def in_their_language(bearer: Bearer) -> Iterator[None]:
    """Speak the language of whoever bears the link; the visitor's own, as Django finds it, if nobody knows theirs."""
    with translation.override(language_of(bearer) or translation.get_language()):
        yield


def language_of(bearer: Bearer) -> str:
    """Return the code of a language that the site has, or nothing.

    It is the one in the record that the mail went to, or else in the subscriber with the address.
    """
    return next(filter(None, map(_supported, _known(bearer))), "")


def _known(bearer: Bearer) -> Iterator[str]:
    delivery = bearer.delivery
    recipient_type = recipients.get(delivery.recipient_type) if delivery else None
    if delivery and recipient_type and recipient_type.language:
        yield _language_in(recipient_type, delivery.object_id)
    yield from _first(Subscriber.objects.filter(key=bearer.address.key), "language")


def _language_in(recipient_type: RecipientType, object_id: str) -> str:
    record = recipient_type.get_queryset().filter(pk=object_id)
    return next(iter(_first(record, recipient_type.language)), "")


def _first(rows: QuerySet[Any], path: str) -> list[str]:
    return [str(value or "") for value in rows.values_list(path, flat=True)[:1]]


def _supported(code: str) -> str:
    """Return the site's variant of a language: "de" for "de-at". Records may hold any text."""
    try:
        return translation.get_supported_language_variant(code.strip().lower().replace("_", "-"))
    except LookupError:
        return ""
