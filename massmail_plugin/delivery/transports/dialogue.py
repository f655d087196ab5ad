"""``smtplib``'s dialogue with bounds: how long a reply may take, how long it may be, and what it may begin with.

``smtplib`` waits for each byte anew, so that a server that sends one a second is waited for without end; it
tries one AUTH after the other; and it cannot tell that the server spoke before it was its turn.
"""

from __future__ import annotations

import contextlib
import re
import select
import smtplib
import socket
import ssl
import time
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from massmail_plugin.delivery.transports.waiting import Ready, Steps, finish

#: RFC 5321 4.2: three digits, the first of them 2 to 5, then a space, a hyphen or the end.
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:[ -]|$)")
#: Bytes of a line and of a whole reply that are kept. RFC 5321 4.5.3.1.5 allows 512 for a line.
_LINE_KEPT = 2000
_REPLY_KEPT = 20_000
#: Bytes of a reply that are read at all. Who says more is not a mail server.
_REPLY_READ = 8_000_000
_CHUNK = 65_536
#: Nothing to read, or no room to write, at this moment.
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_NO_ANSWER = gettext_lazy("The server did not answer in time.")
_NOT_TAKEN = gettext_lazy("The server did not take the mail in time.")
#: Seconds that a goodbye may take: by then every mail is answered for.
_GOODBYE = 2


class Dialogue(smtplib.SMTP):
    """A connection to one mail server. ``timeout`` is the seconds for one reply as a whole.

    The socket does not block. What waits is written as steps (``waiting``), so that one thread can have many
    dialogues; to connect and to log in, ``smtplib`` drives them one by one.
    """

    _unread: bytearray
    _host: str
    #: Bytes of what is being written, or was written last, that have not left.
    unwritten = 0

    def _get_socket(self, *args: Any) -> Any:
        self._unread = bytearray()
        sock = super()._get_socket(*args)  # type: ignore[misc]
        sock.setblocking(False)
        return sock

    def send(self, s: Any) -> None:
        """Write a command, or several. Blocks. Raises ``OSError``."""
        finish(self.sending(s.encode(self.command_encoding) if isinstance(s, str) else s))

    def getreply(self, patience: float | None = None) -> tuple[int, bytes]:
        """Read one reply as :meth:`reading` does. Blocks."""
        return finish(self.reading(patience))

    def sending(self, commands: bytes) -> Steps[None]:
        """Write a command, or several. Raises ``OSError``."""
        yield from self._write(commands, self.timeout)

    def reading(self, patience: float | None = None) -> Steps[tuple[int, bytes]]:
        """Read one reply within ``patience`` seconds (default ``timeout``). Returns its code and its lines.

        The code is -1 if that was no reply of SMTP's. Raises ``OSError``, or ``SMTPServerDisconnected`` at the end
        of the connection.
        """
        try:
            return (yield from self._reply(time.monotonic() + (patience or self.timeout)))
        except OSError:
            self.close()
            raise

    def _reply(self, deadline: float) -> Steps[tuple[int, bytes]]:
        lines: list[bytes] = []
        kept = read = 0
        while True:
            line, length = yield from self._line(deadline)
            found = _REPLY_LINE.match(line)
            if found is None:
                return -1, line
            read += length
            if read > _REPLY_READ:
                raise smtplib.SMTPServerDisconnected(_("The server's answer has no end."))
            if kept < _REPLY_KEPT:
                lines.append(line[4:].strip())
                kept += len(line)
            if line[3:4] != b"-":
                return int(found[1]), b"\n".join(lines)

    def _line(self, deadline: float) -> Steps[tuple[bytes, int]]:
        """Return the next line, cut to what is kept, and how long it really was."""
        kept, length, end = b"", 0, -1
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > _LINE_KEPT:
                kept = kept or bytes(self._unread[:_LINE_KEPT])
                length += len(self._unread)
                self._unread.clear()
            if length > _REPLY_READ:
                raise smtplib.SMTPServerDisconnected(_("The server's answer has no end."))
            yield from self._receive(deadline)
        line = kept or bytes(self._unread[:end]).removesuffix(b"\r")[:_LINE_KEPT]
        del self._unread[: end + 1]
        return line, length + end + 1

    def _receive(self, deadline: float) -> Steps[None]:
        sock = self._socket()
        while True:
            # TLS may hold what the socket has no more.
            if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
                yield Ready(sock, select.POLLIN, deadline, _NO_ANSWER)
            try:
                chunk = sock.recv(_CHUNK)
            except _NOT_YET:
                continue
            if not chunk:
                raise smtplib.SMTPServerDisconnected(_("The server closed the connection."))
            self._unread += chunk
            return

    def has_spoken(self) -> bool:
        """Whether the server has said something, or has hung up, without having been asked. Does not wait."""
        if self._unread:
            return True
        try:
            self._unread += self._socket().recv(_CHUNK)
        except _NOT_YET:
            return False
        except OSError:
            return True
        return True

    def send_body(self, data: bytes, *, seconds: float) -> Steps[bool]:
        """Write a message up to its dot. False: the server spoke or hung up, although it was not its turn.

        Each part has ``timeout`` seconds, the whole ``seconds``. Raises ``OSError``.
        """
        try:
            return (yield from self._write(data, seconds, listening=True)) and not self.has_spoken()
        except OSError:
            # A reset often comes right behind a refusal, which is what people want to read.
            if self.sock is not None and self.has_spoken() and self._unread:
                return False
            raise

    def _write(self, data: bytes, seconds: float, *, listening: bool = False) -> Steps[bool]:
        """Write all of ``data``. False: something came from the server meanwhile, and we are ``listening``.

        A server that refuses in the middle (for size, say) reads no further: who only writes would wait in vain.
        """
        sock, rest = self._socket(), memoryview(data)
        deadline = time.monotonic() + seconds
        self.unwritten = len(rest)
        while rest:
            try:
                rest = rest[sock.send(rest) :]
                self.unwritten = len(rest)
            except _NOT_YET as error:
                # TLS may want to read before it can write. What nobody will read must not wake us up without end.
                events = select.POLLIN if isinstance(error, ssl.SSLWantReadError) else select.POLLOUT
                if listening:
                    events |= select.POLLIN
                until = min(deadline, time.monotonic() + self.timeout)
                yield Ready(sock, events, until, _NOT_TAKEN)
                if listening and self.has_spoken():
                    return False
        return True

    def encrypt(self, context: ssl.SSLContext) -> None:
        """STARTTLS. Raises ``SMTPException`` or ``OSError``; what the server offered before counts no more."""
        if not self.has_extn("starttls"):
            raise smtplib.SMTPNotSupportedError(_("The server does not offer encryption (STARTTLS)."))
        code, reply = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, reply)
        if self._unread:
            # Put there by somebody on the way, to be taken for the server's encrypted words (CVE-2011-0411).
            raise smtplib.SMTPNotSupportedError(_("Somebody interferes with the server's encryption."))
        sock = self._socket()
        sock.settimeout(self.timeout)
        self.sock = context.wrap_socket(sock, server_hostname=self._host)
        self.sock.setblocking(False)
        self.esmtp_features = {}

    def log_in(self, user: str, password: str) -> None:
        """AUTH, once: servers lock accounts after a few wrong tries. Raises ``SMTPException``, ``UnicodeError``."""
        offered = self.esmtp_features.get("auth", "").upper().split()
        # CRAM-MD5 hides the password from who listens, but needs it in clear on the server: not every account has it.
        known = (
            ("PLAIN", "LOGIN", "CRAM-MD5")
            if isinstance(self.sock, ssl.SSLSocket)
            else ("CRAM-MD5", "PLAIN", "LOGIN")
        )
        mechanism = next((name for name in known if name in offered), None)
        if mechanism is None:
            raise smtplib.SMTPNotSupportedError(_("The server offers no way to log in with a password."))
        self.user, self.password = user, password
        self.auth(mechanism, getattr(self, f"auth_{mechanism.lower().replace('-', '_')}"))

    def saying_goodbye(self) -> Steps[None]:
        """QUIT, between two mails."""
        with contextlib.suppress(OSError):
            yield from self.sending(b"QUIT\r\n")
            yield from self.reading(_GOODBYE)
        self.close()

    def break_off(self) -> None:
        """Hang up: in the middle of DATA, where QUIT would become part of the message."""
        with contextlib.suppress(OSError):
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)
        self.close()

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected(_("The connection is closed."))
        return self.sock


class EncryptedDialogue(Dialogue, smtplib.SMTP_SSL):
    """Encrypted from the first byte (RFC 8314)."""
