"""The connections of a turn: each a thread that does nothing but talk to the mail server.

No sender touches the database. What it has to say or to ask goes to the inbox of the turn, whose thread is the only
one that does: commits of several connections are shared that way, and there is one place to look for every decision.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from django.db import connections

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.transports import desk_for, transport_for
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, OutgoingMail
from massmail_plugin.delivery.transports.batches import Desk
from massmail_plugin.mailings.models import Delivery

#: Seconds that a turn waits for its connections to say goodbye. Their threads end with the process at the latest.
_GOODBYE_SECONDS = 5.0

#: Seconds in which the other connections may join the first that has something to say, where the server is fast:
#: what comes together shares a commit, and what a commit costs is most of what a mail costs.
_GATHERING_SECONDS = 0.0005


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One mail of the ledger, ready to leave."""

    delivery: Delivery
    mail: OutgoingMail


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The connection stands."""

    sender: Sender


@dataclass(frozen=True, slots=True, eq=False)
class NotOpened:
    """There is no connection; the thread has ended."""

    sender: Sender
    outcome: Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Asks:
    """All of the mail but the dot is with the server: may it be sent? Waits for :meth:`Sender.answer`."""

    sender: Sender
    job: Job


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """The mail has had its attempt; the sender waits for the next."""

    sender: Sender
    job: Job
    outcome: Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Crashed:
    """A transport has raised what it must not; the thread has ended."""

    sender: Sender
    job: Job | None
    error: BaseException


Event = Opened | NotOpened | Asks | Finished | Crashed


class Sender:
    """One connection and its thread."""

    def __init__(self, account: SenderAccount, inbox: SimpleQueue[Event], desk: Desk | None = None) -> None:
        self._account = account
        self._inbox = inbox
        self._desk = desk
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        self._job: Job | None = None
        # Daemon: a server that never answers must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"massmail-{account.pk}", daemon=True)
        self._thread.start()

    def hand(self, job: Job) -> None:
        """Let this mail be sent next."""
        self._jobs.put(job)

    def answer(self, may_send: bool) -> None:
        """Answer what :class:`Asks` asks."""
        self._answers.put(may_send)

    def dismiss(self) -> None:
        """End after the mail in hand, if there is one; it does not pass a fence any more that it has not passed."""
        self._answers.put(False)
        self._jobs.put(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            # Not a "with": closing may wait for the server, and must not keep an error from being told.
            transport = transport_for(self._account, self._desk)
            try:
                transport.open()
                self._inbox.put(Opened(self))
                while (job := self._jobs.get()) is not None:
                    self._job = job
                    outcome = transport.deliver(job.mail, self._ask)
                    self._job = None
                    self._inbox.put(Finished(self, job, outcome))
            except CannotOpen as error:
                self._inbox.put(NotOpened(self, error.outcome))
            except BaseException as error:
                self._inbox.put(Crashed(self, self._job, error))
            finally:
                transport.close()
        finally:
            # A host's e-mail backend may have used the database.
            connections.close_all()

    def _ask(self) -> bool:
        assert self._job is not None
        self._inbox.put(Asks(self, self._job))
        return self._answers.get()


class Crew:
    """The senders of one turn."""

    def __init__(self, account: SenderAccount) -> None:
        self._account = account
        self._inbox: SimpleQueue[Event] = SimpleQueue()
        #: How many there may be.
        self.limit: int = account.mails_under_way
        self._desk = desk_for(account)
        #: Several have spoken at once: the server answers faster than we ask.
        self._is_fast = False
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
            self.opening.add(Sender(self._account, self._inbox, self._desk))

    def hand(self, job: Job) -> None:
        """Give the mail to a sender that has none."""
        sender = self.idle.pop()
        self.busy[sender] = job
        sender.hand(job)

    def listen(self, seconds: float) -> list[Event]:
        """Return everything that the senders have said since the last time; wait for it if need be."""
        events: list[Event] = []
        with contextlib.suppress(Empty):
            events.append(self._inbox.get(timeout=seconds) if seconds > 0 else self._inbox.get_nowait())
            if self._is_fast:
                time.sleep(_GATHERING_SECONDS)
            while True:
                events.append(self._inbox.get_nowait())
        self._is_fast = len(events) > 1
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

    def dismiss(self, *, patiently: bool = True) -> None:
        """Close all connections. Mails on their way finish by themselves, or with the process."""
        everybody = [*self.opening, *self.idle, *self.busy]
        for sender in everybody:
            sender.dismiss()
        if patiently:
            for sender in self.idle:
                sender.join(_GOODBYE_SECONDS)
