"""A local SMTP server that keeps what it gets. Nothing ever leaves this machine."""

import asyncio
import logging
import signal

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.inbox.maildir import Maildir

logger = logging.getLogger(__name__)

#: Mailboxes of this domain do not exist: the way to see a mailing with failures.
GONE_DOMAIN = "@gone.example"
MAX_MESSAGE_BYTES = 30 * 1024 * 1024


class Handler:
    """Answers for each recipient, and stores each mail before it is accepted."""

    def __init__(self, maildir: Maildir) -> None:
        self.maildir = maildir

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.lower().endswith(GONE_DOMAIN):
            return "550 5.1.1 There is no such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        try:
            path = self.maildir.store(raw, envelope.mail_from or "", envelope.rcpt_tos)
        except OSError:
            logger.exception("A mail could not be stored")
            return "451 4.3.0 The mail could not be stored, try again later"
        return f"250 2.0.0 OK: {path.stem}"


async def listen(maildir: Maildir, host: str, port: int) -> asyncio.Server:
    """Start to accept mail; returns the server. Port 0 takes any free port."""

    def session() -> SMTP:
        return SMTP(
            Handler(maildir),
            enable_SMTPUTF8=True,
            data_size_limit=MAX_MESSAGE_BYTES,
            hostname="inbox.sandbox.example",
        )

    server = await asyncio.get_running_loop().create_server(session, host, port)
    logger.info("Accepting mail on %s:%s", host, server.sockets[0].getsockname()[1])
    return server


async def serve(maildir: Maildir, host: str, port: int) -> None:
    """Accept mail until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = await listen(maildir, host, port)
    await stopped.wait()
    server.close()
