"""Keys by which a provider knows that it has a mail already, so that a call without an answer can be repeated at once.

| provider | the key travels in | lives | a second copy is not sent, and gets |
| --- | --- | --- | --- |
| Resend | HTTP header ``Idempotency-Key`` | 24 h | the first one's answer |
| Brevo | ``idempotencyKey``, a UUID, in the JSON's ``headers`` | 15 min | 400 ``duplicate_parameter`` |

No other backend of Anymail 15.2 passes a key on, and no provider of a whole batch is asked for more than one mail per
call. So a call without an answer leaves a doubt there, of one mail.

The key is made of the Message-ID: the same for each attempt to send one delivery, whoever asks for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anymail.backends.base_requests import AnymailRequestsBackend
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from massmail_plugin.delivery.mails.outgoing import OutgoingMail

#: Seconds before each repetition: far less than a key lives, and enough for a call that is still being worked on.
PAUSES = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class _Scheme:
    attach: Callable[[Any, EmailMessage, str], None]
    #: What the provider calls a second copy, if it refuses it.
    duplicate: str = ""


def _into_http_headers(backend: Any, message: EmailMessage, key: str) -> None:
    # Anymail passes no HTTP headers on; those of its session go with each call.
    if backend.session is not None:
        backend.session.headers["Idempotency-Key"] = key


def _into_mail_headers(backend: Any, message: EmailMessage, key: str) -> None:
    message.extra_headers["idempotencyKey"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"mid:{key}"))


_SCHEMES = {
    "Resend": _Scheme(_into_http_headers),
    "Brevo": _Scheme(_into_mail_headers, duplicate="duplicate_parameter"),
}


def attach_key(backend: BaseEmailBackend, mail: OutgoingMail) -> None:
    """Give the next call of an open backend the key of ``mail``, where its provider knows keys."""
    if scheme := _scheme(backend):
        scheme.attach(backend, mail.message, _key(mail))


def may_repeat(backend: BaseEmailBackend, mail: OutgoingMail) -> bool:
    """Whether the provider knows ``mail`` by its key, so that a second copy is not sent."""
    return bool(mail.metadata) and _scheme(backend) is not None


def duplicate_code(backend: BaseEmailBackend) -> str:
    """Return what the provider calls a second copy; empty if it answers it like the first."""
    scheme = _scheme(backend)
    return scheme.duplicate if scheme else ""


def _key(mail: OutgoingMail) -> str:
    # A test mail has no metadata, and shares its Message-ID with all others.
    return mail.headers["Message-ID"].strip("<>") if mail.metadata else uuid.uuid4().hex


def _scheme(backend: BaseEmailBackend) -> _Scheme | None:
    return _SCHEMES.get(str(backend.esp_name)) if isinstance(backend, AnymailRequestsBackend) else None
