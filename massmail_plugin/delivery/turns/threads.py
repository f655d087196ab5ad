"""A connection of a turn that can only block: with a thread of its own."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

from django.db import connections
from django.utils.translation import gettext as _

from massmail_plugin import conf
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, Transport, Verdict
from massmail_plugin.delivery.turns.events import (
    Asks,
    Closed,
    Crashed,
    Event,
    Finished,
    Job,
    NotOpened,
    Opened,
    Sender,
)
from massmail_plugin.delivery.turns.switchboard import Switchboard


class Thread(Sender):
    """Drives a transport of any kind. One that blocks for longer than a mail server may take is waited for no more."""

    def __init__(self, transport: Transport, board: Switchboard) -> None:
        self._transport = transport
        self._board = board
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        #: The mail that the thread has; what it was told about it, and the rest, belong to the turn's thread.
        self._job: Job | None = None
        self._handed: Job | None = None
        self._has_passed = False
        self._is_given_up = False
        self._watch()
        # Daemon: a server that never answers must not keep the process from ending.
        threading.Thread(target=self._run, name="massmail-sender", daemon=True).start()

    def hand(self, job: Job) -> None:
        self._handed, self._has_passed = job, False
        self._watch()
        self._jobs.put(job)

    def answer(self, may_send: bool) -> None:
        if self._is_given_up:
            return
        self._has_passed = may_send
        self._watch()
        self._answers.put(may_send)

    def dismiss(self) -> None:
        self._answers.put(False)
        self._jobs.put(None)

    def hang_up(self) -> None:
        self.dismiss()

    def _watch(self) -> None:
        """Give the transport its time, from now on."""
        seconds = conf.get("SMTP_FINAL_DOT_TIMEOUT") + conf.get("SMTP_TIMEOUT")
        self._board.remind(self, time.monotonic() + seconds, self._give_up)

    def _give_up(self) -> None:
        self._is_given_up = True
        # If it ever comes back, it passes no fence and ends.
        self.dismiss()
        reply = _("The e-mail backend did not answer in time.")
        unreachable = Outcome(Verdict.UNREACHABLE, reply)
        if self._handed is None:
            self._board.tell(NotOpened(self, unreachable))
            return
        outcome = Outcome(Verdict.DOUBT, reply) if self._has_passed else unreachable
        self._board.tell(Finished(self, self._handed, outcome))
        self._board.tell(Closed(self))

    def _run(self) -> None:
        try:
            # Not a "with": closing may wait for the server, and must not keep an error from being told.
            try:
                self._transport.open()
                self._tell(Opened(self))
                while (job := self._jobs.get()) is not None:
                    self._job = job
                    outcome = self._transport.deliver(job.mail, self._ask)
                    self._job = None
                    self._tell(Finished(self, job, outcome))
            except CannotOpen as error:
                self._tell(NotOpened(self, error.outcome))
            except BaseException as error:
                self._tell(Crashed(self, self._job, error))
            finally:
                self._transport.close()
        finally:
            # A host's e-mail backend may have used the database.
            connections.close_all()
            self._tell(Closed(self))

    def _ask(self) -> bool:
        assert self._job is not None
        self._tell(Asks(self, self._job))
        return self._answers.get()

    def _tell(self, event: Event) -> None:
        self._board.post(lambda: self._told(event))

    def _told(self, event: Event) -> None:
        """In the turn's thread: the transport waits for us now, or for nothing."""
        if not self._is_given_up:
            self._board.forget_reminder(self)
            self._board.tell(event)
