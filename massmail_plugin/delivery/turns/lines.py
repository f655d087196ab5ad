"""A connection of a turn to a mail server: without a thread, because a thread costs more than the dialogue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from massmail_plugin.delivery.transports.base import CannotOpen
from massmail_plugin.delivery.transports.smtp import SmtpTransport
from massmail_plugin.delivery.transports.waiting import Call, Permission, Ready, Steps
from massmail_plugin.delivery.turns.events import (
    Asks,
    Closed,
    Crashed,
    Finished,
    Job,
    NotOpened,
    Opened,
    Sender,
)
from massmail_plugin.delivery.turns.switchboard import Switchboard


class Line(Sender):
    """Drives the steps of one SMTP connection, as its turn's switchboard lets it.

    Only names, encryption and passwords have a thread for a moment: to connect, ``ssl`` and the resolver block.
    """

    def __init__(self, transport: SmtpTransport, board: Switchboard) -> None:
        self._transport = transport
        self._board = board
        self._job: Job | None = None
        #: What is going on; None: it waits for a mail, or has ended.
        self._steps: Steps[None] | None = None
        #: What it waits for.
        self._wait: Ready | Call | Permission | None = None
        #: Whether the mail in hand may be sent, or has been.
        self._has_passed = False
        self._is_dismissed = self._is_leaving = False
        self._begin(self._opening())

    def hand(self, job: Job) -> None:
        self._job, self._has_passed = job, False
        self._begin(self._sending(job))

    def answer(self, may_send: bool) -> None:
        # Who was dismissed meanwhile has its answer.
        if isinstance(self._wait, Permission):
            self._has_passed = may_send
            self._go_on(may_send)

    def dismiss(self) -> None:
        self._is_dismissed = True
        if self._steps is None:
            self._leave()
        elif not self._has_passed:
            self.hang_up()

    def hang_up(self) -> None:
        self._is_dismissed = True
        if isinstance(self._wait, Call):
            return  # Its thread hangs up when it comes back.
        if isinstance(self._wait, Ready):
            self._board.forget(self._wait)
        if self._steps is not None:
            self._steps.close()
        self._end()

    def _opening(self) -> Steps[None]:
        try:
            yield Call(self._transport.open)
        except CannotOpen as error:
            self._board.tell(NotOpened(self, error.outcome))
        else:
            self._board.tell(Opened(self))

    def _sending(self, job: Job) -> Steps[None]:
        outcome = yield from self._transport.delivering(job.mail)
        self._board.tell(Finished(self, job, outcome))

    def _leave(self) -> None:
        self._is_leaving = True
        self._begin(self._transport.closing())

    def _begin(self, steps: Steps[None]) -> None:
        self._steps = steps
        self._go_on()

    def _go_on(self, given: Any = None, error: BaseException | None = None) -> None:
        """Let the steps run until they have to wait, and see to it that they are resumed."""
        assert self._steps is not None
        self._wait = None
        try:
            wait = self._steps.send(given) if error is None else self._steps.throw(error)
        except StopIteration:
            self._steps = self._job = None
            if self._is_leaving:
                self._end()
            elif self._is_dismissed:
                self._leave()
        except Exception as raised:
            self._board.tell(Crashed(self, self._job, raised))
            self._end()
        else:
            self._wait = wait
            if type(wait) is Ready:
                self._board.expect(wait, self._is_ready)
            elif isinstance(wait, Call):
                self._call(wait.function)
            else:
                assert self._job is not None
                self._board.tell(Asks(self, self._job))

    def _is_ready(self, error: TimeoutError | None) -> None:
        self._go_on(None, error)

    def _end(self) -> None:
        self._steps = self._wait = None
        self._transport.break_off()
        self._board.tell(Closed(self))

    def _call(self, function: Callable[[], None]) -> None:
        def run() -> None:
            error: BaseException | None = None
            try:
                function()
            except BaseException as raised:
                error = raised
            if not self._board.post(lambda: self._called(error)):
                self._transport.break_off()

        # Daemon: a server that never answers must not keep the process from ending.
        threading.Thread(target=run, name="massmail-connecting", daemon=True).start()

    def _called(self, error: BaseException | None) -> None:
        self._wait = None
        if self._is_dismissed:
            self.hang_up()
        else:
            self._go_on(None, error)
