"""Takes an account's secrets out of what others say: servers and providers sometimes repeat what they were told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from django.views.decorators.debug import sensitive_variables

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import SecretUnreadable

#: Shorter ones are parts of ordinary words and numbers.
_SHORTEST = 4
_HIDDEN = "•••"


@sensitive_variables()
def without_secrets(account: SenderAccount, text: str) -> str:
    """Return ``text`` with the account's password and backend options hidden, also as AUTH writes them."""
    try:
        secrets = sorted(_forms(account), key=len, reverse=True)
    except SecretUnreadable:
        return text  # Nobody was told what nobody can read.
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def _forms(account: SenderAccount) -> Iterator[str]:
    password = account.password.reveal()
    if len(password) >= _SHORTEST:
        yield password
        yield _base64(password)  # RFC 4954: AUTH LOGIN
        yield _base64(f"\0{account.username}\0{password}")  # RFC 4616: AUTH PLAIN
    try:
        options = json.loads(account.backend_options.reveal() or "{}")
    except ValueError:
        return
    yield from (value for value in _texts(options) if len(value) >= _SHORTEST)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value that may be secret: not the names of options, and no addresses."""
    match value:
        case str():
            if not value.startswith(("http://", "https://")):
                yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
