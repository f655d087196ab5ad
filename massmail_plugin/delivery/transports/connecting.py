"""From a sender account to a mail server that waits for the first mail: connect, encrypt, log in."""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import replace

from django.core.mail.utils import DNS_NAME
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.redacting import without_secrets
from massmail_plugin.accounts.secrets import SecretUnreadable
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, Verdict
from massmail_plugin.delivery.transports.dialogue import Dialogue, EncryptedDialogue
from massmail_plugin.delivery.transports.replies import Phase, describe, meaning


def connect(account: SenderAccount) -> Dialogue:
    """Return an open connection, logged in where the account has a user name. Raises :class:`CannotOpen`."""
    dialogue = _call(account)
    try:
        _send_at_once(dialogue)
        _greet(dialogue)
        if account.security == SenderAccount.Security.STARTTLS:
            _encrypt(dialogue)
        if account.username:
            _log_in(dialogue, account)
    except BaseException:
        dialogue.close()
        raise
    return dialogue


def ehlo_name(account: SenderAccount) -> str:
    """Return how we introduce ourselves: a full name (RFC 5321 4.1.4), or some servers take nothing from us."""
    if chosen := conf.get("EHLO_NAME"):
        return str(chosen)
    machine: str = DNS_NAME.get_fqdn()
    # Containers have names like "3f2a9c", laptops "localhost.localdomain"; the sender's domain is a name that exists.
    is_full = "." in machine and not machine.startswith("localhost")
    return machine if is_full else account.sending_domain


def _call(account: SenderAccount) -> Dialogue:
    host, port = account.host, account.port
    name, timeout = ehlo_name(account), conf.get("SMTP_TIMEOUT")
    try:
        if account.security == SenderAccount.Security.TLS:
            context = ssl.create_default_context()
            return EncryptedDialogue(host, port, local_hostname=name, timeout=timeout, context=context)
        return Dialogue(host, port, local_hostname=name, timeout=timeout)
    except UnicodeError as error:
        # "mail..example.com" is no name at all; nothing was asked yet.
        message = _("“%(host)s” is not the name of a server.") % {"host": host}
        raise CannotOpen(Outcome(Verdict.ACCOUNT, message)) from error
    except OSError as error:
        raise CannotOpen(_refusal(Phase.CONNECT, error)) from error


def _send_at_once(dialogue: Dialogue) -> None:
    """Send the dot without waiting for the body's ACK.

    Body and dot are two writes because the fence stands between them; with Nagle's algorithm and delayed
    ACKs (RFC 1122 4.2.3) each mail would wait 40 ms.
    """
    if dialogue.sock is not None:
        dialogue.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _greet(dialogue: Dialogue) -> None:
    try:
        code, reply = dialogue.ehlo()
        if 500 <= code < 600:
            code, reply = dialogue.helo()  # RFC 5321 4.1.1.1: a server from before EHLO
    except OSError as error:
        raise CannotOpen(_refusal(Phase.EHLO, error)) from error
    if not 200 <= code < 300:
        raise CannotOpen(meaning(Phase.EHLO, code, reply))


def _encrypt(dialogue: Dialogue) -> None:
    """STARTTLS; never skipped when the server lacks it, or a password would leave in clear."""
    try:
        dialogue.encrypt(ssl.create_default_context())
    except OSError as error:
        raise CannotOpen(_refusal(Phase.AUTH, error)) from error
    _greet(dialogue)  # RFC 3207 4.2: what was offered before counts no more


@sensitive_variables()
def _log_in(dialogue: Dialogue, account: SenderAccount) -> None:
    try:
        dialogue.log_in(account.username, account.password.reveal())
    except SecretUnreadable as error:
        raise CannotOpen(Outcome(Verdict.ACCOUNT, str(error))) from error
    except UnicodeError as error:
        # smtplib speaks ASCII only (RFC 4954 would allow UTF-8); the error itself quotes the password.
        message = _("User name and password may only have letters without accents, digits and signs.")
        raise CannotOpen(Outcome(Verdict.ACCOUNT, message)) from error
    except OSError as error:
        outcome = _refusal(Phase.AUTH, error)
        # Some servers repeat what they were told.
        raise CannotOpen(replace(outcome, reply=without_secrets(account, outcome.reply))) from error


def _refusal(phase: Phase, error: Exception) -> Outcome:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome(Verdict.ACCOUNT, describe(error))
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        return meaning(phase, error.smtp_code, reply if isinstance(reply, bytes) else str(reply).encode())
    return Outcome(Verdict.UNREACHABLE, describe(error))
