"""A mail server that says exactly what a test has written down, byte by byte, and nothing else.

def play(line):
    line.say("220 mail.test.example")
    line.hear()                        # EHLO
    line.say("250-mail.test.example", "250 PIPELINING")

with ScriptedServer(play) as server: ...
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from tests.smtp_orders import PATIENCE_SECONDS


class Line:
    """One connection, seen from the server."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        #: Counts from 1.
        self.number = number
        #: Commands, in order of arrival.
        self.heard: list[str] = []
        #: Messages that were ended by a dot, dots still doubled.
        self.bodies: list[bytes] = []
        self._unread = b""

    def say(self, *lines: str | bytes) -> None:
        self.send(b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines))

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def hear(self) -> str:
        """Wait for a command; return it with its verb in capitals. The empty text: the client has hung up."""
        verb, blank, rest = self._until(b"\r\n").decode("utf-8", "replace").rstrip("\r\n").partition(" ")
        command = verb.upper() + blank + rest
        if command:
            self.heard.append(command)
        return command

    def hear_body(self) -> bytes:
        """Wait for a message up to its dot. Nothing: the client hung up before the dot."""
        # The line before the body ends by CRLF too.
        self._unread = b"\r\n" + self._unread
        body = self._until(b"\r\n.\r\n")
        if body:
            self.bodies.append(body[2:-3])
        return body

    def hear_bytes(self, number: int) -> None:
        """Wait for so many bytes and throw them away."""
        while number > len(self._unread):
            number -= len(self._unread)
            self._unread = self.connection.recv(65_536)
        self._unread = self._unread[number:]

    def encrypt(self, context: ssl.SSLContext) -> None:
        self.connection = context.wrap_socket(self.connection, server_side=True)

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def wait_for_the_end(self) -> None:
        """Read until the client hangs up; answer only a goodbye."""
        with contextlib.suppress(OSError):
            while command := self.hear():
                if command == "QUIT":
                    self.say("221 Bye")

    def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            chunk = self.connection.recv(65_536)
            if not chunk:
                return b""
            self._unread += chunk
        position = self._unread.index(end) + len(end)
        part, self._unread = self._unread[:position], self._unread[position:]
        return part


class ScriptedServer:
    """Plays ``play`` with each connection. A context manager; its end hangs up, and waits for the plays."""

    host = "127.0.0.1"

    def __init__(self, play: Callable[[Line], None]) -> None:
        self._play = play
        self._threads: list[threading.Thread] = []
        self.lines: list[Line] = []

    @property
    def heard(self) -> list[str]:
        """The commands of all connections."""
        return [command for line in self.lines for command in line.heard]

    @property
    def bodies(self) -> list[bytes]:
        return [body for line in self.lines for body in line.bodies]

    def __enter__(self) -> ScriptedServer:
        self._listening = socket.create_server((self.host, 0))
        self.port = self._listening.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for line in self.lines:
            line.hang_up()
        for thread in [self._acceptor, *self._threads]:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "A play has not come to its end."

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listening.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_SECONDS)
            line = Line(connection, len(self.lines) + 1)
            self.lines.append(line)
            thread = threading.Thread(target=self._run, args=(line,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, line: Line) -> None:
        # The client may go at any time: that is what some tests are about.
        with contextlib.suppress(OSError):
            self._play(line)
            line.wait_for_the_end()
        line.connection.close()


def greet(line: Line, *keywords: str) -> None:
    """Greet, and answer EHLO with these keywords."""
    line.say("220 mail.test.example")
    line.hear()
    words = ["mail.test.example", *keywords]
    line.say(*[f"250-{word}" for word in words[:-1]], f"250 {words[-1]}")
