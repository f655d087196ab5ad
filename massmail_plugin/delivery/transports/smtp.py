"""Our own SMTP driver on ``smtplib``'s low-level verbs.

``smtplib.sendmail`` reports a connection that died before the message and one that died after it with the
same exception, and sends body and final dot in one go. Here every phase is known, and the fence stands
between the last byte of the body and the dot: until the dot the server must forget the mail (RFC 5321 4.1.1.4).
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from email.errors import MessageError

from django.core.mail.utils import DNS_NAME
from django.utils.translation import gettext as _

from massmail_plugin import conf
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
from massmail_plugin.delivery.transports.replies import as_text, describe, refusal

_BARE_NEWLINE = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")


class _ConnectionSpentError(Exception):
    """The server ended a connection that had served before, at the beginning of the next mail."""


class SmtpTransport(Transport):
    def __init__(self, account: SenderAccount) -> None:
        self._account = account
        self._smtp: smtplib.SMTP | None = None
        #: Mails that this connection has answered for.
        self._served = 0

    def open(self) -> None:
        if self._smtp is not None:
            return
        try:
            smtp = self._connect()
        except UnicodeError as error:
            # "mail..example.com" is no name at all; nothing was asked yet.
            message = _("“%(host)s” is not the name of a server.") % {"host": self._account.host}
            raise CannotOpen(Outcome(Verdict.ACCOUNT, message)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise CannotOpen(Outcome(Verdict.UNREACHABLE, describe(error))) from error
        try:
            self._send_at_once(smtp)
            self._log_in(smtp)
        except UnicodeError as error:
            smtp.close()
            # smtplib speaks ASCII only (RFC 4954 would allow UTF-8); the error itself quotes the password.
            message = _("User name and password may only have letters without accents, digits and signs.")
            raise CannotOpen(Outcome(Verdict.ACCOUNT, message)) from error
        except BaseException:
            smtp.close()
            raise
        self._smtp = smtp
        self._served = 0

    def _connect(self) -> smtplib.SMTP:
        account, timeout = self._account, conf.get("SMTP_TIMEOUT")
        name = DNS_NAME.get_fqdn()
        if account.security == SenderAccount.Security.TLS:
            return smtplib.SMTP_SSL(
                account.host,
                account.port,
                local_hostname=name,
                timeout=timeout,
                context=ssl.create_default_context(),
            )
        return smtplib.SMTP(account.host, account.port, local_hostname=name, timeout=timeout)

    @staticmethod
    def _send_at_once(smtp: smtplib.SMTP) -> None:
        """Send the dot without waiting for the body's ACK.

        Body and dot are two writes because the fence stands between them; with Nagle's algorithm and delayed
        ACKs (RFC 1122 4.2.3) each mail would wait 40 ms.
        """
        if smtp.sock is not None:
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        """EHLO, STARTTLS where it is asked for (never skipped when the server lacks it), and AUTH."""
        account = self._account
        try:
            smtp.ehlo_or_helo_if_needed()
            if account.security == SenderAccount.Security.STARTTLS:
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo_or_helo_if_needed()
            if account.username:
                smtp.login(account.username, account.password.reveal())
        except SecretUnreadable as error:
            raise CannotOpen(Outcome(Verdict.ACCOUNT, str(error))) from error
        except smtplib.SMTPNotSupportedError as error:
            raise CannotOpen(Outcome(Verdict.ACCOUNT, describe(error))) from error
        except smtplib.SMTPResponseException as error:
            # 454 is "not now" (RFC 4954 6); 535 and its kin will not get better by trying, only locked.
            verdict = Verdict.UNREACHABLE if 400 <= error.smtp_code < 500 else Verdict.ACCOUNT
            raise CannotOpen(Outcome(verdict, describe(error))) from error
        except (smtplib.SMTPException, OSError) as error:
            raise CannotOpen(Outcome(Verdict.UNREACHABLE, describe(error))) from error

    def deliver(self, mail: OutgoingMail, fence: Fence) -> Outcome:
        if not mail.envelope_recipient.isascii():
            return Outcome(
                Verdict.RECIPIENT,
                _("The part of the address before the @ has letters that cannot be mailed to."),
            )
        try:
            # Django's own message classes know the line separator.
            data = wire_format(mail.message.message().as_bytes(linesep="\r\n"))  # type: ignore[call-arg]
        except (ValueError, MessageError) as error:
            return Outcome(Verdict.RECIPIENT, _("The mail cannot be written: %(error)s") % {"error": error})
        try:
            return self._attempt(mail, data, fence)
        except _ConnectionSpentError:
            # Many servers close after a number of mails; that is no fault, and a new connection goes on.
            self.close()
            return self._attempt(mail, data, fence)

    def _attempt(self, mail: OutgoingMail, data: bytes, fence: Fence) -> Outcome:
        try:
            self.open()
        except CannotOpen as error:
            return error.outcome
        smtp = self._smtp
        assert smtp is not None
        try:
            refused = self._sender(smtp, mail) or self._recipient(smtp, mail) or self._body(smtp, data)
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Outcome(Verdict.UNREACHABLE, describe(error))
        if refused is not None:
            self._reset()
            return refused
        if not fence():
            # Closing without the dot is the only way to take the mail back.
            self.close()
            return Outcome(Verdict.FENCED)
        return self._dot(smtp)

    def _sender(self, smtp: smtplib.SMTP, mail: OutgoingMail) -> Outcome | None:
        """MAIL. Returns the refusal, or None. Raises :class:`_ConnectionSpentError`."""
        try:
            code, reply = smtp.mail(mail.envelope_sender)
        except (smtplib.SMTPException, OSError) as error:
            if self._served:
                raise _ConnectionSpentError from error
            raise
        if code == 421 and self._served:
            raise _ConnectionSpentError
        if code == 250:
            return None
        # Whoever the recipient, the server does not want this sender.
        return Outcome(Verdict.UNREACHABLE if code < 500 else Verdict.ACCOUNT, as_text(code, reply))

    def _recipient(self, smtp: smtplib.SMTP, mail: OutgoingMail) -> Outcome | None:
        """RCPT. Returns the refusal, or None."""
        code, reply = smtp.rcpt(mail.envelope_recipient)
        return None if code in (250, 251) else refusal(code, reply)

    def _body(self, smtp: smtplib.SMTP, data: bytes) -> Outcome | None:
        """DATA and everything but the final dot. Returns the refusal, or None."""
        smtp.putcmd("data")
        code, reply = smtp.getreply()
        if code != 354:
            return refusal(code, reply)
        smtp.send(data)
        return None

    def _dot(self, smtp: smtplib.SMTP) -> Outcome:
        """Send the final dot. From here on a broken connection leaves the mail in doubt (RFC 1047)."""
        try:
            if smtp.sock is not None:
                smtp.sock.settimeout(conf.get("SMTP_FINAL_DOT_TIMEOUT"))
            smtp.send(b".\r\n")
            code, reply = smtp.getreply()
            if smtp.sock is not None:
                smtp.sock.settimeout(conf.get("SMTP_TIMEOUT"))
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Outcome(Verdict.DOUBT, describe(error))
        self._served += 1
        if 200 <= code < 300:
            return Outcome(Verdict.ACCEPTED, as_text(code, reply))
        if not 400 <= code < 600:
            # No reply of SMTP's, or one that says neither yes nor no: the server may have taken the mail.
            self.close()
            return Outcome(Verdict.DOUBT, as_text(code, reply))
        if code == 421:
            self.close()
        return refusal(code, reply)

    def _reset(self) -> None:
        if self._smtp is None:
            return
        try:
            self._smtp.rset()
        except (smtplib.SMTPException, OSError):
            self.close()

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        with contextlib.suppress(smtplib.SMTPException, OSError):
            if smtp.sock is not None:
                # QUIT in the middle of DATA would become part of the message; the socket is simply shut.
                smtp.sock.shutdown(socket.SHUT_RDWR)
        smtp.close()


def wire_format(message: bytes) -> bytes:
    """Return the message with CRLF line ends only (RFC 5321 2.3.8) and leading dots doubled (4.5.2)."""
    data = _LEADING_DOT.sub(b"..", _BARE_NEWLINE.sub(b"\r\n", message))
    return data if data.endswith(b"\r\n") else data + b"\r\n"
