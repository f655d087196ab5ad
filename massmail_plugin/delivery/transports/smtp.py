"""Our own SMTP driver: one transaction per mail, with the fence between the last byte of the body and the dot.

``smtplib.sendmail`` reports a connection that died before the message and one that died after it with the
same exception, and sends body and final dot in one go. Here every phase is known: until the dot the server must
forget the mail (RFC 5321 4.1.1.4).
"""

from __future__ import annotations

import contextlib

from django.utils.translation import gettext as _

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.mails.outgoing import OutgoingMail
from massmail_plugin.delivery.transports.base import CannotOpen, Fence, Outcome, Transport, Verdict
from massmail_plugin.delivery.transports.connecting import connect
from massmail_plugin.delivery.transports.dialogue import Dialogue
from massmail_plugin.delivery.transports.replies import Phase, as_text, describe, meaning
from massmail_plugin.delivery.transports.waiting import Call, Permission, Steps, finish
from massmail_plugin.delivery.transports.wire_format import Transaction, Unsendable, transaction

#: Codes that let the transaction go on. 251 and 252: the server will forward, or cannot say; it takes the mail.
_GO_ON = {Phase.MAIL: range(200, 300), Phase.RCPT: range(200, 300), Phase.DATA: range(354, 355)}
_REFUSED = range(400, 600)


class _ConnectionLostError(Exception):
    """The connection ended before the server had the message; ``outcome`` says how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


class SmtpTransport(Transport):
    def __init__(self, account: SenderAccount) -> None:
        self._account = account
        self._dialogue: Dialogue | None = None
        #: Mails that this connection has answered for.
        self._served = 0
        #: Whether the connection is between two mails.
        self._idle = True
        #: Whether the server may be asked for DATA before it has answered RCPT, where it offers that.
        self._may_pipeline = True

    def open(self) -> None:
        if self._dialogue is None:
            self._dialogue = connect(self._account)
            self._served, self._idle = 0, True

    def deliver(self, mail: OutgoingMail, fence: Fence) -> Outcome:
        return finish(self.delivering(mail), fence)

    def delivering(self, mail: OutgoingMail) -> Steps[Outcome]:
        """The steps of :meth:`deliver`, which ask for permission in the fence's place."""
        try:
            # Where the server takes no such addresses, the mail does not leave: see wire_format.
            is_ascii = (mail.envelope_sender + mail.envelope_recipient).isascii()
            message = mail.as_bytes(utf8=not is_ascii)
        except ValueError as error:
            return Outcome(Verdict.RECIPIENT, _("The mail cannot be written: %(error)s") % {"error": error})
        # Not right after its last mail, whose answer would wait for the goodbye and be written down too late.
        if self._served and self._served == conf.get("MAILS_PER_CONNECTION"):
            yield from self.closing()
        while True:
            is_new = self._dialogue is None
            try:
                return (yield from self._attempt(mail, message))
            except _ConnectionLostError as lost:
                yield from self.closing()
                if is_new:
                    return lost.outcome
            # Many servers close after a number of mails, or when idle: no fault, and a new connection goes on.

    def _attempt(self, mail: OutgoingMail, message: bytes) -> Steps[Outcome]:
        try:
            if self._dialogue is None:
                yield Call(self.open)
            assert self._dialogue is not None
            offers = self._dialogue.esmtp_features
            wire = transaction(mail.envelope_sender, mail.envelope_recipient, message, offers)
        except (CannotOpen, Unsendable) as error:
            return error.outcome
        refused = yield from self._announce(self._dialogue, wire)
        if refused is None:
            return (yield from self._hand_over(self._dialogue, wire.data))
        yield from self._reset()
        return refused

    def _announce(self, dialogue: Dialogue, wire: Transaction) -> Steps[Outcome | None]:
        """MAIL, RCPT and DATA. Returns the refusal, or None when the server waits for the message.

        In one write where the server allows it (RFC 2920): one round trip instead of three. Raises
        :class:`_ConnectionLostError`; closes a connection that cannot go on after a refusal.
        """
        steps = {Phase.MAIL: wire.mail, Phase.RCPT: wire.rcpt, Phase.DATA: b"DATA\r\n"}
        at_once = self._may_pipeline and dialogue.has_extn("pipelining")
        refused: Outcome | None = None
        phase = Phase.MAIL
        try:
            if dialogue.has_spoken():
                raise _ConnectionLostError((yield from self._read_interruption(dialogue)))
            self._idle = False
            yield from dialogue.sending(b"".join(steps.values()) if at_once else wire.mail)
            for phase, command in steps.items():
                if phase is not Phase.MAIL and not at_once:
                    yield from dialogue.sending(command)
                answer = yield from self._read_answer(dialogue, phase, refused)
                refused = refused or answer
                if self._dialogue is None or (refused and not at_once):
                    break
        except OSError as error:
            yield from self.closing()
            if refused is None:
                refused = _lost(error, phase)
                if not isinstance(error, TimeoutError) or phase is Phase.MAIL:
                    raise _ConnectionLostError(refused) from error
        return refused

    def _read_answer(
        self, dialogue: Dialogue, phase: Phase, refused: Outcome | None
    ) -> Steps[Outcome | None]:
        code, reply = yield from dialogue.reading()
        if code in _GO_ON[phase]:
            if refused and phase is Phase.DATA:
                # The server waits for a message although it refused what came before. The lone dot that RFC 2920 3.1
                # has for this would be an empty mail, if the server understood something else. Hanging up sends none.
                self._may_pipeline = False
                yield from self.closing()
            return None
        outcome = meaning(phase, code, reply)
        if code == 421 and refused is None:
            raise _ConnectionLostError(outcome)
        if code not in _REFUSED or code == 421:
            yield from self.closing()  # It speaks no SMTP that we could follow, or is going.
        return outcome

    def _hand_over(self, dialogue: Dialogue, data: bytes) -> Steps[Outcome]:
        """The message, the fence, the dot."""
        try:
            if not (yield from dialogue.send_body(data, seconds=conf.get("SMTP_FINAL_DOT_TIMEOUT"))):
                return (yield from self._read_interruption(dialogue))
        except OSError as error:
            yield from self.closing()
            return _lost(error, Phase.DOT)
        if not (yield Permission()):
            # Closing without the dot is the only way to take the mail back.
            yield from self.closing()
            return Outcome(Verdict.FENCED)
        if dialogue.has_spoken():
            return (yield from self._read_interruption(dialogue))
        return (yield from self._end(dialogue))

    def _read_interruption(self, dialogue: Dialogue) -> Steps[Outcome]:
        """The server spoke or hung up out of turn, before the dot: whatever it says, it has to forget the mail."""
        phase = Phase.MAIL if self._idle else Phase.DOT
        try:
            code, reply = yield from dialogue.reading()
        except OSError as error:
            yield from self.closing()
            return _lost(error, phase)
        yield from self.closing()
        if code in _REFUSED:
            return meaning(phase, code, reply)
        # A "250" to half a mail is not for this mail.
        return Outcome(_unanswered(phase), as_text(code, reply))

    def _end(self, dialogue: Dialogue) -> Steps[Outcome]:
        """Send the final dot. From here on a broken connection leaves the mail in doubt (RFC 1047)."""
        try:
            yield from dialogue.sending(b".\r\n")
            code, reply = yield from dialogue.reading(conf.get("SMTP_FINAL_DOT_TIMEOUT"))
        except OSError as error:
            # Half a dot ends no message.
            is_unsent = dialogue.unwritten > 0
            yield from self.closing()
            return _lost(error, Phase.DOT) if is_unsent else Outcome(Verdict.DOUBT, describe(error))
        outcome = meaning(Phase.DOT, code, reply)
        self._served += 1
        self._idle = outcome.verdict is not Verdict.DOUBT and code != 421
        if not self._idle:
            yield from self.closing()
        return outcome

    def _reset(self) -> Steps[None]:
        """Make the connection ready for the next mail after a refusal."""
        if self._dialogue is None:
            return
        try:
            yield from self._dialogue.sending(b"RSET\r\n")
            code, _reply = yield from self._dialogue.reading()
        except OSError:
            yield from self.closing()
            return
        self._idle = 200 <= code < 300
        if not self._idle:
            yield from self.closing()

    def close(self) -> None:
        finish(self.closing())

    def closing(self) -> Steps[None]:
        """The steps of :meth:`close`."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is None:
            return
        with contextlib.suppress(OSError):
            if self._idle:
                yield from dialogue.saying_goodbye()
            else:
                dialogue.break_off()

    def break_off(self) -> None:
        """Hang up at once, wherever it is: a mail whose dot has not been sent is not sent any more."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.break_off()


def _lost(error: OSError, phase: Phase) -> Outcome:
    """Return what is known when the connection ends in ``phase``, before the dot: nothing was sent."""
    return Outcome(_unanswered(phase), describe(error))


def _unanswered(phase: Phase) -> Verdict:
    """Once the server has taken MAIL, it may be this one mail that it cannot bear.

    So the mail's attempt counts: one that makes the server hang up, or never answer, would stand in the way of all
    others for ever.
    """
    return Verdict.UNREACHABLE if phase is Phase.MAIL else Verdict.TEMPORARY
