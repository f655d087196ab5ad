"""Waits in one thread for everything that the connections of a turn wait for."""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from massmail_plugin.delivery.transports.waiting import Ready
from massmail_plugin.delivery.turns.events import Event

#: Called when a wait is over: with None, or with the error if it took too long.
Resume = Callable[[TimeoutError | None], None]


class Switchboard:
    """Belongs to the thread of its turn; all but :meth:`post` is for that thread alone."""

    def __init__(self) -> None:
        # Not selectors: registering and unregistering, twice for each mail, are no system calls with poll.
        self._poll = select.poll()
        self._waiting: dict[int, tuple[Ready, Resume]] = {}
        #: Who wants to be reminded when, by the monotonic clock.
        self._reminders: dict[object, tuple[float, Callable[[], None]]] = {}
        self._events: list[Event] = []
        #: What other threads want done in this one; the bell wakes it up.
        self._posted = deque[Callable[[], None]]()
        self._rope, self._bell = socket.socketpair()
        self._rope.setblocking(False)
        self._bell.setblocking(False)
        self._poll.register(self._bell, select.POLLIN)
        self._lock = threading.Lock()
        self._is_closed = False

    def expect(self, wait: Ready, resume: Resume) -> None:
        """Call ``resume`` when ``wait`` is over."""
        number = wait.sock.fileno()
        self._waiting[number] = wait, resume
        self._poll.register(number, wait.events)

    def forget(self, wait: Ready) -> None:
        """Nobody waits for this any more."""
        number = wait.sock.fileno()
        if self._waiting.pop(number, None):
            self._poll.unregister(number)

    def remind(self, who: object, at: float, do: Callable[[], None]) -> None:
        """Do this after that time of the monotonic clock, as soon as somebody listens. One wish of each ``who``."""
        self._reminders[who] = at, do

    def forget_reminder(self, who: object) -> None:
        """Do nothing of what ``who`` wanted to be reminded of."""
        self._reminders.pop(who, None)

    def tell(self, event: Event) -> None:
        """Let the turn know."""
        self._events.append(event)

    def post(self, do: Callable[[], None]) -> bool:
        """Let the turn's thread do this. For other threads. False: the turn has ended, and it will not be done."""
        with self._lock:
            if self._is_closed:
                return False
            self._posted.append(do)
            # A full pipe wakes it up as well.
            with suppress(BlockingIOError):
                self._rope.send(b"\0")
        return True

    def listen(self, seconds: float) -> list[Event]:
        """Return what was told since the last time; wait for it for up to ``seconds``."""
        until = time.monotonic() + seconds
        while True:
            left = 0.0 if self._events else until - time.monotonic()
            self._let_go_on(max(0.0, left))
            if self._events or left <= 0:
                break
        events, self._events = self._events, []
        return events

    def _let_go_on(self, seconds: float) -> None:
        """Let everybody go on whose wait is over, waiting for up to ``seconds`` for the first of them."""
        first = min((wait.until for wait, _resume in self._waiting.values()), default=math.inf)
        seconds = min(seconds, max(0.0, first - time.monotonic()))
        for number, _events in self._poll.poll(seconds * 1000):
            if number in self._waiting:
                _wait, resume = self._end_wait(number)
                resume(None)
        if first <= time.monotonic():
            self._end_late_waits()
        if self._posted:
            with suppress(BlockingIOError):
                self._bell.recv(4096)
            while self._posted:
                self._posted.popleft()()
        # After what was posted, which may be what somebody waits for.
        if self._reminders:
            self._remind()

    def _end_late_waits(self) -> None:
        now = time.monotonic()
        late = [number for number, (wait, _resume) in self._waiting.items() if wait.until <= now]
        for number in late:
            wait, resume = self._end_wait(number)
            resume(TimeoutError(str(wait.complaint)))

    def _remind(self) -> None:
        now = time.monotonic()
        for who in [who for who, (at, _do) in self._reminders.items() if at <= now]:
            _at, do = self._reminders.pop(who)
            do()

    def _end_wait(self, number: int) -> tuple[Ready, Resume]:
        self._poll.unregister(number)
        return self._waiting.pop(number)

    def close(self) -> None:
        """End. What was posted until now is done."""
        with self._lock:
            self._is_closed = True
            self._rope.close()
            self._bell.close()
        while self._posted:
            self._posted.popleft()()
