"""Any Django or Anymail e-mail backend as a transport: one message per call, the fence right before it.

An HTTP call cannot be taken back half-way, so the doubt is one mail per call.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import traceback

import requests
import urllib3
from anymail.exceptions import (
    AnymailAPIError,
    AnymailCancelSend,
    AnymailConfigurationError,
    AnymailError,
    AnymailRecipientsRefused,
    AnymailRequestsAPIError,
)
from anymail.message import AnymailStatus
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.translation import gettext as _

from massmail_plugin.accounts.connections import BadBackend, build_backend
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import SecretUnreadable
from massmail_plugin.delivery.transports.base import (
    CannotOpen,
    Fence,
    Outcome,
    OutgoingMail,
    Transport,
    Verdict,
)

_NEVER_CONNECTED = (
    requests.exceptions.ConnectTimeout,
    urllib3.exceptions.NewConnectionError,
    ConnectionRefusedError,
    socket.gaierror,
)
_REFUSED_STATUSES = {"invalid", "rejected", "failed"}


class BackendTransport(Transport):
    def __init__(self, account: SenderAccount) -> None:
        self._account = account
        self._backend: BaseEmailBackend | None = None

    def open(self) -> None:
        if self._backend is not None:
            return
        try:
            backend = build_backend(self._account)
        except (BadBackend, SecretUnreadable) as error:
            raise CannotOpen(Outcome(Verdict.ACCOUNT, str(error))) from error
        try:
            backend.open()
        except (smtplib.SMTPAuthenticationError, AnymailConfigurationError) as error:
            raise CannotOpen(Outcome(Verdict.ACCOUNT, _describe(error))) from error
        except Exception as error:
            raise CannotOpen(Outcome(Verdict.UNREACHABLE, _describe(error))) from error
        self._backend = backend

    def deliver(self, mail: OutgoingMail, fence: Fence) -> Outcome:
        try:
            self.open()
        except CannotOpen as error:
            return error.outcome
        assert self._backend is not None
        if not fence():
            return Outcome(Verdict.FENCED)
        try:
            sent = self._backend.send_messages([mail.message])
        except AnymailRecipientsRefused:
            return _from_status(mail.message.anymail_status)  # type: ignore[attr-defined]
        except Exception as error:
            # Backends are the hosts' choice and raise what they like; what we do not know is a doubt.
            self.close()
            return classify(error)
        status = getattr(mail.message, "anymail_status", None)
        if isinstance(status, AnymailStatus) and status.recipients:
            return _from_status(status)
        if sent == 0:
            return Outcome(Verdict.RECIPIENT, _("The e-mail backend did not send it."))
        # Some backends forget to return the number; without an exception the mail has left.
        return Outcome(Verdict.ACCEPTED)

    def close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            with contextlib.suppress(Exception):
                backend.close()


def classify(error: Exception) -> Outcome:
    """Say what is known about a mail after its backend raised ``error``."""
    return Outcome(_verdict(error), _describe(error))


def _verdict(error: Exception) -> Verdict:
    if isinstance(error, AnymailRequestsAPIError) and error.status_code:
        return _http_verdict(error.status_code)
    if _never_connected(error) or _in_handshake(error):
        return Verdict.UNREACHABLE
    if isinstance(
        error, (AnymailConfigurationError, smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused)
    ):
        return Verdict.ACCOUNT
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _reply in error.recipients.values()]
        return Verdict.TEMPORARY if codes and codes[0] < 500 else Verdict.RECIPIENT
    if isinstance(error, smtplib.SMTPResponseException):
        return Verdict.TEMPORARY if error.smtp_code < 500 else Verdict.RECIPIENT
    if isinstance(error, AnymailCancelSend) or (
        isinstance(error, AnymailError) and not isinstance(error, AnymailAPIError)
    ):
        # Anymail found the message unfit before calling the provider.
        return Verdict.RECIPIENT
    return Verdict.DOUBT


def _never_connected(error: BaseException | None) -> bool:
    """Whether the fault came before a byte of the mail could leave: no route, no name, refused.

    An outage must not turn a whole list into doubts. ``requests`` hides the cause two levels deep.
    """
    while error is not None:
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(error, _NEVER_CONNECTED) or isinstance(reason, _NEVER_CONNECTED):
            return True
        error = error.__cause__
    return False


def _in_handshake(error: BaseException | None) -> bool:
    """Whether TLS failed while it was being set up (a bad certificate, no TLS at all), and not after the request.

    Both are the same exception of ``requests``; only where it was raised tells them apart.
    """
    while error is not None:
        if any(frame.name == "do_handshake" for frame in traceback.extract_tb(error.__traceback__)):
            return True
        error = error.__context__
    return False


def _http_verdict(status: int) -> Verdict:
    if status in (401, 402, 403):
        return Verdict.ACCOUNT
    if status == 429 or status == 503:
        return Verdict.UNREACHABLE
    # Also an answer of 200 that Anymail cannot read: the provider has probably taken the mail.
    return Verdict.RECIPIENT if 400 <= status < 500 else Verdict.DOUBT


def _from_status(status: AnymailStatus) -> Outcome:
    """Read the provider's word on the one recipient of the message."""
    recipient = next(iter(status.recipients.values()))
    reply = str(recipient.status or "")
    if recipient.status in _REFUSED_STATUSES:
        return Outcome(Verdict.RECIPIENT, _("The provider refused it: %(status)s") % {"status": reply})
    # Not "or": an id may be 0.
    provider_id = "" if recipient.message_id is None else str(recipient.message_id)
    return Outcome(Verdict.ACCEPTED, reply, provider_id)


def _describe(error: Exception) -> str:
    # Anymail's str() holds the request, with personal data; the first line has what people need.
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:1000]
