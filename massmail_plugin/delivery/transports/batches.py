"""Several mails in one call to a provider that makes each recipient a mail of their own.

Each mail has a connection of its own in the turn, as with any transport. The connections' threads meet here: those that
have come together first ask the fence at the same time, which is one commit for them; then one of them makes the call
for all that may be sent. So a worker that dies leaves no more mails in doubt than one call carries.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable

from anymail.exceptions import AnymailRecipientsRefused
from anymail.message import AnymailStatus
from django.utils.translation import gettext as _

from massmail_plugin.accounts.batches import BatchSyntax
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.mails.outgoing import OutgoingMail
from massmail_plugin.delivery.transports.backend import BackendTransport, from_status
from massmail_plugin.delivery.transports.base import CannotOpen, Fence, Outcome, Verdict
from massmail_plugin.delivery.transports.batch_message import batch_key, batch_message

#: Seconds for which a batch that is not full waits for one more mail.
_GATHERING_SECONDS = 0.05
#: Said of the call as a whole, before anything was sent. It may be about one of its mails: each is then sent alone.
_ABOUT_ONE_OF_THEM = (Verdict.RECIPIENT, Verdict.TEMPORARY, Verdict.POLICY, Verdict.TOO_BIG)


class Batch:
    """The mails of one call, by recipient. Its first member makes the call."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self.mails: list[OutgoingMail] = []
        #: Nobody else joins any more.
        self.is_closed = False
        self._allowed: list[OutgoingMail] = []
        self._refused = 0
        self._outcomes: dict[str, Outcome] | None = None

    def note_fence(self, mail: OutgoingMail, may_send: bool) -> None:
        """The fence has answered for this mail."""
        with self._changed:
            if may_send:
                self._allowed.append(mail)
            else:
                self._refused += 1
            self._changed.notify_all()

    def allowed(self) -> list[OutgoingMail]:
        """Wait until the fence has answered for all. Returns those that may be sent."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._allowed) + self._refused == len(self.mails))
            return list(self._allowed)

    def settle(self, outcomes: dict[str, Outcome]) -> None:
        """The call is over. Mails without an outcome have not been sent, and are sent alone."""
        with self._changed:
            self._outcomes = outcomes
            self._changed.notify_all()

    def outcome(self, mail: OutgoingMail) -> Outcome | None:
        """Wait for the end of the call. Returns what is known of this mail; None: it was not sent."""
        with self._changed:
            self._changed.wait_for(lambda: self._outcomes is not None)
            assert self._outcomes is not None
            return self._outcomes.get(mail.envelope_recipient)


class Desk:
    """Where the connections of a turn bring their mails together."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._open: dict[Hashable, Batch] = {}

    def join(self, key: Hashable, mail: OutgoingMail) -> Batch:
        """Put the mail into a batch with others of the same key. Returns when it is full, or nobody else comes."""
        with self._changed:
            batch = self._open.setdefault(key, Batch(self._changed))
            batch.mails.append(mail)
            if len(batch.mails) >= self._size:
                self._close(key, batch)
            self._changed.notify_all()
            while not batch.is_closed:
                # Woken up by whatever happens at this desk: only when it stays silent, nobody else comes.
                is_silent = not self._changed.wait(_GATHERING_SECONDS)
                if is_silent and batch.mails[0] is mail and not batch.is_closed:
                    self._close(key, batch)
            return batch

    def _close(self, key: Hashable, batch: Batch) -> None:
        batch.is_closed = True
        if self._open.get(key) is batch:
            del self._open[key]
        self._changed.notify_all()


class BatchTransport(BackendTransport):
    """One of the connections that meet at a desk."""

    def __init__(self, account: SenderAccount, syntax: BatchSyntax, desk: Desk) -> None:
        super().__init__(account)
        self._syntax = syntax
        self._desk = desk

    def deliver(self, mail: OutgoingMail, fence: Fence) -> Outcome:
        key = batch_key(mail, self._syntax)
        if key is None:
            return super().deliver(mail, fence)
        try:
            self.open()
        except CannotOpen as error:
            return error.outcome
        batch = self._desk.join(key, mail)
        may_send = False
        try:
            may_send = fence()
        finally:
            batch.note_fence(mail, may_send)
        if batch.mails[0] is mail:
            self._lead(batch)
        if not may_send:
            return Outcome(Verdict.FENCED)
        return batch.outcome(mail) or self._send(mail)

    def _lead(self, batch: Batch) -> None:
        mails = batch.allowed()
        outcomes = _same(mails, Outcome(Verdict.DOUBT))
        try:
            outcomes = self._send_all(mails)
        finally:
            # Whatever happens here: the others wait for this thread.
            batch.settle(outcomes)

    def _send_all(self, mails: list[OutgoingMail]) -> dict[str, Outcome]:
        """Make one call for all. Returns what is known of each; nothing of those that were not sent."""
        if len(mails) < 2:
            return {}
        try:
            return self._call_for(mails)
        except Exception as error:
            outcome = self._meaning(error)
            self.close()
            return {} if outcome.verdict in _ABOUT_ONE_OF_THEM else _same(mails, outcome)

    def _call_for(self, mails: list[OutgoingMail]) -> dict[str, Outcome]:
        backend = self._backend
        assert backend is not None
        message = batch_message(mails, self._syntax)
        # All of them: the status says why.
        with contextlib.suppress(AnymailRecipientsRefused):
            backend.send_messages([message])
        return _from_statuses(mails, message.anymail_status)  # type: ignore[attr-defined]


def _from_statuses(mails: list[OutgoingMail], status: AnymailStatus) -> dict[str, Outcome]:
    """Read the provider's word on each recipient."""
    outcomes = {}
    for mail in mails:
        said = status.recipients.get(mail.envelope_recipient)
        if said is None or said.status == "unknown":
            text = _("The provider took this call only in part, and did not say which mails.")
            outcomes[mail.envelope_recipient] = Outcome(Verdict.DOUBT, text)
        else:
            outcomes[mail.envelope_recipient] = from_status(said)
    return outcomes


def _same(mails: list[OutgoingMail], outcome: Outcome) -> dict[str, Outcome]:
    return {mail.envelope_recipient: outcome for mail in mails}
