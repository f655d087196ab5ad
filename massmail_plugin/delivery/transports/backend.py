"""Any Django or Anymail e-mail backend as a transport: one message per call, the fence right before it.

An HTTP call cannot be taken back half-way, so the doubt is one mail per call.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

from anymail.exceptions import AnymailRecipientsRefused
from anymail.message import AnymailRecipientStatus, AnymailStatus
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.translation import gettext as _

from massmail_plugin.accounts.connections import BadBackend, build_backend
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.redacting import without_secrets
from massmail_plugin.accounts.secrets import SecretUnreadable
from massmail_plugin.delivery.mails.outgoing import OutgoingMail
from massmail_plugin.delivery.transports import idempotency
from massmail_plugin.delivery.transports.base import CannotOpen, Fence, Outcome, Transport, Verdict
from massmail_plugin.delivery.transports.provider_errors import classify, says, was_answered

_REFUSED_STATUSES = {"invalid", "rejected", "failed"}
#: What opening may find out about the account.
_CLOSES = (Verdict.ACCOUNT, Verdict.SLOW_DOWN)


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
        except Exception as error:
            outcome = self._meaning(error)
            # Whatever it was, nothing was sent.
            verdict = outcome.verdict if outcome.verdict in _CLOSES else Verdict.UNREACHABLE
            raise CannotOpen(Outcome(verdict, outcome.reply)) from error
        self._backend = backend

    def deliver(self, mail: OutgoingMail, fence: Fence) -> Outcome:
        try:
            self.open()
        except CannotOpen as error:
            return error.outcome
        if not fence():
            return Outcome(Verdict.FENCED)
        return self._send(mail)

    def _send(self, mail: OutgoingMail) -> Outcome:
        """Make the call for a mail that has passed the fence."""
        try:
            self.open()
        except CannotOpen as error:
            return error.outcome
        backend = self._backend
        assert backend is not None
        outcome, fault = self._call(backend, mail)
        if fault is None:
            return outcome
        self.close()
        if outcome.verdict is Verdict.DOUBT and idempotency.may_repeat(backend, mail):
            return self._ask_again(mail, fault) or outcome
        return outcome

    def _call(self, backend: BaseEmailBackend, mail: OutgoingMail) -> tuple[Outcome, Exception | None]:
        """Hand the mail to the backend. Returns what is known, and the exception if there was one."""
        try:
            idempotency.attach_key(backend, mail)
            sent = backend.send_messages([mail.message])
        except AnymailRecipientsRefused:
            return _of_the_only_one(mail.message.anymail_status), None  # type: ignore[attr-defined]
        except Exception as error:
            # Backends are the hosts' choice and raise what they like; what we do not know is a doubt.
            return self._meaning(error), error
        status = getattr(mail.message, "anymail_status", None)
        if isinstance(status, AnymailStatus) and status.recipients:
            return _of_the_only_one(status), None
        if sent == 0:
            return Outcome(Verdict.RECIPIENT, _("The e-mail backend did not send it.")), None
        # Some backends forget to return the number; without an exception the mail has left.
        return Outcome(Verdict.ACCEPTED), None

    def _meaning(self, error: Exception) -> Outcome:
        """Return what is known after a backend's exception: its words go into the ledger, which many people read."""
        outcome = classify(error)
        return replace(outcome, reply=without_secrets(self._account, outcome.reply))

    def _ask_again(self, mail: OutgoingMail, first: Exception) -> Outcome | None:
        """Repeat a call whose end nobody knows, where the provider does not send a second copy.

        Returns the outcome if it turns out that the mail was taken, else None: a no may be about the copy.
        """
        for pause in idempotency.PAUSES:
            time.sleep(pause)
            try:
                self.open()
            except CannotOpen:
                continue
            backend = self._backend
            assert backend is not None
            outcome, fault = self._call(backend, mail)
            if outcome.verdict is Verdict.ACCEPTED:
                return outcome
            self.close()
            # After an answer such as 500, perhaps only the key was kept.
            if fault and not was_answered(first) and says(fault, idempotency.duplicate_code(backend)):
                return Outcome(Verdict.ACCEPTED, _("The provider has this mail already."))
        return None

    def close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            with contextlib.suppress(Exception):
                backend.close()


def _of_the_only_one(status: AnymailStatus) -> Outcome:
    return from_status(next(iter(status.recipients.values())))


def from_status(recipient: AnymailRecipientStatus) -> Outcome:
    """Read the provider's word on one recipient."""
    reply = str(recipient.status or "")
    if recipient.status in _REFUSED_STATUSES:
        text = _("The provider refused it: %(status)s") % {"status": reply}
        # "Rejected" may be the provider's own list of who wants no mail.
        return Outcome(Verdict.RECIPIENT, text, no_such_mailbox=recipient.status == "invalid")
    # Not "or": an id may be 0.
    provider_id = "" if recipient.message_id is None else str(recipient.message_id)
    return Outcome(Verdict.ACCEPTED, reply, provider_id)
