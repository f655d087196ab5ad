"""What a transport needs to deliver one mail: an account that nobody saved, and bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.transports.base import Outcome
from massmail_plugin.delivery.transports.smtp import SmtpTransport
from massmail_plugin.delivery.transports.waiting import Steps
from massmail_plugin.delivery.turns.events import Asks, Crashed, Finished, Job
from massmail_plugin.delivery.turns.lines import Line
from massmail_plugin.delivery.turns.switchboard import Switchboard
from massmail_plugin.mailings.models import Delivery


@dataclass
class PlainMail:
    """Bytes with an envelope, in place of a composed mail: CRLF at each end of a line, no dot at its beginning."""

    message: bytes = b"Subject: News\r\n\r\nHello!\r\n"
    envelope_recipient: str = "ada@customers.example"
    envelope_sender: str = "sales@sandbox.example"
    metadata: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def as_bytes(self, *, utf8: bool = False) -> bytes:
        return self.message


class Fence:
    """Says ``answer``; counts how often it was asked."""

    def __init__(self, answer: bool = True, before: Callable[[], Any] = lambda: None) -> None:
        self.answer, self.before, self.asked = answer, before, 0

    def __call__(self) -> bool:
        self.asked += 1
        self.before()
        return self.answer


def an_unsaved_account(server: Any, **fields: Any) -> SenderAccount:
    security = SenderAccount.Security.NONE
    defaults = {"host": server.host, "port": server.port, "security": security}
    return SenderAccount(**{**defaults, "from_email": "sales@sandbox.example", **fields})


@pytest.fixture
def settle(settings: Any) -> Callable[..., None]:
    """Return a function that changes MASSMAIL settings for this test."""

    def change(**values: Any) -> None:
        settings.MASSMAIL = {**getattr(settings, "MASSMAIL", {}), **values}

    return change


class _Driven(Line):
    """A line of a transport that opens itself with its first mail, as it does when it is driven alone."""

    def _opening(self) -> Steps[None]:
        yield from ()


class OneOfMany(SmtpTransport):
    """Driven as the connections of a turn are, which share one thread."""

    def deliver(self, mail: Any, fence: Callable[[], bool]) -> Outcome:
        board = Switchboard()
        line = _Driven(self, board)
        line.hand(Job(Delivery(), mail))
        while True:
            for event in board.listen(60):
                match event:
                    case Asks():
                        line.answer(fence())
                    case Crashed():
                        raise event.error
                    case Finished():
                        board.close()
                        return event.outcome


@pytest.fixture(params=[SmtpTransport, OneOfMany], ids=["alone", "one of many"])
def smtp_transport(request: Any) -> Any:
    """Return a function that makes a transport to a server; all are closed at the end."""
    made: list[SmtpTransport] = []

    def make(server: Any, **fields: Any) -> SmtpTransport:
        made.append(request.param(an_unsaved_account(server, **fields)))
        return made[-1]

    yield make
    for transport in made:
        transport.close()
