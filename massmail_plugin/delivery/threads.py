"""A connection of a turn that can only block: with a thread of its own."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from django.db import connections

from massmail_plugin.delivery.events import (
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
from massmail_plugin.delivery.switchboard import Switchboard
from massmail_plugin.delivery.transports.base import CannotOpen, Transport


class Thread(Sender):
    """Drives a transport of any kind."""

    def __init__(self, transport: Transport, board: Switchboard) -> None:
        self._transport = transport
        self._board = board
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        self._job: Job | None = None
        # Daemon: a server that never answers must not keep the process from ending.
        threading.Thread(target=self._run, name="massmail-sender", daemon=True).start()

    def hand(self, job: Job) -> None:
        self._jobs.put(job)

    def answer(self, may_send: bool) -> None:
        self._answers.put(may_send)

    def dismiss(self) -> None:
        self._answers.put(False)
        self._jobs.put(None)

    def hang_up(self) -> None:
        self.dismiss()

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
        self._board.post(lambda: self._board.tell(event))
