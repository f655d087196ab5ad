"""A real mail server for tests: keeps every mail, and misbehaves when told to.

smtp_server.answer("RCPT", "550 5.1.1 No such mailbox", when="gone@")
smtp_server.hang_up("dot")
with smtp_server.holding("dot") as held:
    held.wait_until_reached()
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.smtp_orders import PATIENCE_SECONDS, Held, Order, Place


@dataclass(frozen=True)
class ReceivedMail:
    """One mail that the server took, or may have taken before it hung up."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    #: Counts connections from 1: mails with the same number came over one.
    connection: int
    #: What the client called itself.
    client: str = ""

    @property
    def message(self) -> EmailMessage:
        return cast(EmailMessage, BytesParser(policy=policy.default).parsebytes(self.content))

    @property
    def html(self) -> str:
        return _body(self.message, "html")

    @property
    def text(self) -> str:
        return _body(self.message, "plain")


@dataclass
class SmtpServer:
    """Listens on a free port of this machine. A context manager; also the fixture ``smtp_server``."""

    #: User names and passwords; empty: nobody has to log in.
    users: dict[str, str] = field(default_factory=dict)
    #: Letters beyond ASCII before the @ of an address (RFC 6531).
    takes_utf8: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    mails: list[ReceivedMail] = field(default_factory=list)
    connections: int = 0
    _orders: list[Order] = field(default_factory=list)

    def answer(self, place: Place, reply: str, *, when: str = "", times: int | None = None) -> None:
        """Reply so from now on, for example "451 4.3.0 Try again later"; newer orders go first."""
        self._orders.insert(0, Order(place, reply=reply, when=when, times=times))

    def hang_up(self, place: Place, *, when: str = "", times: int | None = None) -> None:
        """Break the connection there. At "dot" the mail is kept, as by a server whose answer gets lost."""
        self._orders.insert(0, Order(place, when=when, times=times))

    @contextmanager
    def holding(self, place: Place, *, when: str = "") -> Iterator[Held]:
        """Stop at ``place`` once until released or until the block ends. At "dot" the mail is already kept."""
        held = Held()
        self._orders.insert(0, Order(place, held=held, when=when, times=1))
        try:
            yield held
        finally:
            held.release()

    def behave(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    @property
    def recipients(self) -> list[str]:
        """Every recipient of every mail, in order of arrival."""
        return [recipient for mail in list(self.mails) for recipient in mail.recipients]

    def mails_to(self, address: str) -> list[ReceivedMail]:
        return [mail for mail in list(self.mails) if address in mail.recipients]

    def keep(self, mail: ReceivedMail) -> None:
        """Take responsibility for the mail: it is answered "250" next."""
        self.mails.append(mail)

    def take_order(self, place: Place, argument: str) -> Order | None:
        """Return what to do at ``place``, once for each time that it is done."""
        order = next((order for order in self._orders if order.applies(place, argument)), None)
        if order is not None:
            order.use_up()
        return order

    def __enter__(self) -> SmtpServer:
        self._loop = asyncio.new_event_loop()
        listening = self._loop.create_server(lambda: _Conversation(self), self.host, self.port)
        self._server = self._loop.run_until_complete(listening)
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for order in self._orders:
            if order.held:
                order.held.release()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Conversation(SMTP):
    """One connection; each verb first asks the server's orders."""

    def __init__(self, server: SmtpServer) -> None:
        self._orders = server
        server.connections += 1
        super().__init__(
            _Mailbox(server, server.connections),
            hostname="mail.test.example",
            enable_SMTPUTF8=server.takes_utf8,
            authenticator=_authenticator(server) if server.users else None,
            auth_required=bool(server.users),
            auth_require_tls=False,
        )

    async def obey(self, place: Place, argument: str | None) -> bool:
        """Do as ordered at ``place``. Returns whether that was the whole answer."""
        order = self._orders.take_order(place, argument or "")
        if order is None:
            return False
        if order.held:
            await order.held.stop_here()
            return False
        if order.reply is None:
            await self.break_off()
        await self.push(order.reply)
        return True

    async def break_off(self) -> None:
        assert self.transport is not None
        self.transport.abort()
        # The end of the connection cancels this.
        await asyncio.Event().wait()

    async def smtp_EHLO(self, arg: str) -> None:
        if not await self.obey("EHLO", arg):
            await super().smtp_EHLO(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        if not await self.obey("AUTH", arg):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if not await self.obey("MAIL", arg):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self.obey("RCPT", arg):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not await self.obey("DATA", arg):
            await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:
        if not await self.obey("RSET", arg):
            await super().smtp_RSET(arg)


class _Mailbox:
    """Takes a mail when its final dot has arrived."""

    def __init__(self, server: SmtpServer, connection: int) -> None:
        self._server, self._connection = server, connection

    async def handle_DATA(self, smtp: _Conversation, session: Session, envelope: Envelope) -> str:
        client = str(session.host_name)
        argument = " ".join([*envelope.rcpt_tos, client])
        order = self._server.take_order("dot", argument)
        if order and order.reply is not None:
            return order.reply
        self._server.keep(self._received(envelope, client))
        if order and order.held:
            await order.held.stop_here()
        elif order:
            await smtp.break_off()
        return "250 2.0.0 OK"

    def _received(self, envelope: Envelope, client: str) -> ReceivedMail:
        content = cast(bytes, envelope.original_content)
        return ReceivedMail(
            envelope.mail_from or "", tuple(envelope.rcpt_tos), content, self._connection, client
        )


def _authenticator(server: SmtpServer) -> Any:
    def check(_smtp: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        known = (
            isinstance(data, LoginPassword)
            and server.users.get(data.login.decode()) == data.password.decode()
        )
        return AuthResult(success=known, handled=known)

    return check


def _body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""
