"""Builds e-mail backends from account rows: the one place that knows how Django makes them."""

from __future__ import annotations

import json
from typing import Any

import django
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import SenderAccount


class BadBackend(Exception):
    """The backend of an account cannot be built; ``str()`` says why, for people."""


def build_backend(account: SenderAccount) -> BaseEmailBackend:
    """Return an unopened backend for an account of kind "backend". Raises :class:`BadBackend`.

    The class is called directly and not through ``get_connection``, which Django 6.1 deprecates and which
    raises once the MAILERS setting is used.
    """
    try:
        backend_class = import_string(account.backend)
    except ImportError as error:
        raise BadBackend(_("There is no e-mail backend “%(path)s”.") % {"path": account.backend}) from error
    if not (isinstance(backend_class, type) and issubclass(backend_class, BaseEmailBackend)):
        raise BadBackend(_("“%(path)s” is not an e-mail backend.") % {"path": account.backend})
    options = read_options(account.backend_options.reveal())
    if django.VERSION >= (6, 1):
        options.setdefault("alias", f"massmail-{account.pk}")
    try:
        return backend_class(**options)
    except Exception as error:
        # Whatever a provider's constructor dislikes (a missing key, an unknown option) is for the owner to read.
        raise BadBackend(f"{type(error).__name__}: {error}") from error


def read_options(text: str) -> dict[str, Any]:
    """Return the keyword arguments in ``text``, a JSON object. Raises :class:`BadBackend`."""
    try:
        options = json.loads(text or "{}")
    except ValueError as error:
        raise BadBackend(_("The backend options are not valid JSON.")) from error
    if not isinstance(options, dict):
        raise BadBackend(_('The backend options must be a JSON object, for example {"api_key": "..."}.'))
    return options
