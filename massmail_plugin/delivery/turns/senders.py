"""The connections of a turn.

No sender touches the database. What it has to say or to ask is told to the turn, whose thread is the only one that
does: commits of several connections are shared that way, and there is one place to look for every decision.
"""

from __future__ import annotations

import time

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.transports import desk_for, transport_for
from massmail_plugin.delivery.transports.smtp import SmtpTransport
from massmail_plugin.delivery.turns.events import Asks, Closed, Event, Finished, Job, Opened, Sender
from massmail_plugin.delivery.turns.lines import Line
from massmail_plugin.delivery.turns.switchboard import Switchboard
from massmail_plugin.delivery.turns.threads import Thread

#: Seconds that a turn waits for its connections to say goodbye. They end with the process at the latest.
_GOODBYE_SECONDS = 5.0


class Crew:
    """The senders of one turn."""

    def __init__(self, account: SenderAccount) -> None:
        self._account = account
        self._board = Switchboard()
        #: How many there may be.
        self.limit: int = account.mails_under_way
        self._desk = desk_for(account)
        #: Those whose connection is not there yet.
        self.opening: set[Sender] = set()
        self.idle: list[Sender] = []
        self.busy: dict[Sender, Job] = {}

    def __len__(self) -> int:
        return len(self.opening) + len(self.idle) + len(self.busy)

    def hire(self, wanted: int) -> None:
        """See to it that there are ``wanted`` senders, or as many as may be.

        The first comes alone: if the server wants a better password, it is asked once and not many times.
        """
        if not self.idle and not self.busy:
            wanted = min(wanted, 1)
        while len(self) < min(wanted, self.limit):
            self.opening.add(self._sender())

    def _sender(self) -> Sender:
        transport = transport_for(self._account, self._desk)
        if isinstance(transport, SmtpTransport):
            return Line(transport, self._board)
        return Thread(transport, self._board)

    def hand(self, job: Job) -> None:
        """Give the mail to a sender that has none."""
        sender = self.idle.pop()
        self.busy[sender] = job
        sender.hand(job)

    def listen(self, seconds: float) -> list[Event]:
        """Return everything that the senders have said since the last time; wait for it if need be."""
        events = self._board.listen(seconds)
        for event in events:
            self._follow(event)
        return events

    def _follow(self, event: Event) -> None:
        sender = event.sender
        if isinstance(event, Asks):
            return
        self.opening.discard(sender)
        self.busy.pop(sender, None)
        if isinstance(event, Opened | Finished):
            self.idle.append(sender)
        elif sender in self.idle:
            self.idle.remove(sender)

    def abandon(self) -> None:
        """Let nothing pass the fence any more. Mails beyond it still finish, if they are listened to."""
        for sender in [*self.opening, *self.idle, *self.busy]:
            sender.dismiss()

    def dismiss(self, *, patiently: bool = True) -> None:
        """Close all connections. Mails on their way are not waited for."""
        until = time.monotonic() + _GOODBYE_SECONDS
        everybody = [*self.opening, *self.idle, *self.busy]
        leaving = set(self.idle) if patiently else set()
        self.abandon()
        while leaving and time.monotonic() < until:
            leaving -= {event.sender for event in self._board.listen(1.0) if isinstance(event, Closed)}
        for sender in everybody:
            sender.hang_up()
        self._board.close()
