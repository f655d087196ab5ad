"""Builds e-mail backends from account rows: the one place that knows how Django makes them."""

from __future__ import annotations

import json
from typing import Any

import django
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.redacting import without_secrets


class BadBackend(Exception):
    """The backend of an account cannot be built; ``str()`` says why, for people."""


@sensitive_variables()
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
        return _with_an_end(_without_repetitions(backend_class(**options)))
    except Exception as error:
        # Whatever a provider's constructor dislikes (a missing key, an unknown option) is for the owner to read.
        message = without_secrets(account, f"{type(error).__name__}: {error}")
        raise BadBackend(message) from error


def _without_repetitions(backend: BaseEmailBackend) -> BaseEmailBackend:
    """Let Amazon SES be called once per mail.

    boto3 calls up to three times when an answer does not come in time, although the mail may have been taken each
    time: the same person would get it three times.
    """
    parameters = getattr(backend, "client_params", None)
    config: Any = parameters.get("config") if isinstance(parameters, dict) else None
    if isinstance(parameters, dict) and hasattr(config, "merge"):
        parameters["config"] = config.merge(type(config)(retries={"total_max_attempts": 1}))
    return backend


def _with_an_end(backend: BaseEmailBackend) -> BaseEmailBackend:
    """Let Django's SMTP backend, and those made after it, wait no longer than our own driver does.

    Without EMAIL_TIMEOUT they wait for ever. It has one time for all: the longest, or a slow answer would be a doubt.
    """
    if getattr(backend, "timeout", 0) is None:
        backend.timeout = conf.get("SMTP_FINAL_DOT_TIMEOUT")  # type: ignore[attr-defined]
    return backend


def read_options(text: str) -> dict[str, Any]:
    """Return the keyword arguments in ``text``, a JSON object. Raises :class:`BadBackend`."""
    try:
        options = json.loads(text or "{}")
    except ValueError as error:
        raise BadBackend(_("The backend options are not valid JSON.")) from error
    if not isinstance(options, dict):
        raise BadBackend(_('The backend options must be a JSON object, for example {"api_key": "..."}.'))
    return options
