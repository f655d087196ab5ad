"""Dialogues that can be waited for one at a time or many at once.

A dialogue is written as a generator, its *steps*. Where it has to wait it yields what it waits for, and whoever drives
it resumes it when that has come: :func:`finish` blocks, ``delivery.turns.lines`` has many of them in one thread.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

_T = TypeVar("_T")


class Ready(NamedTuple):
    """Until there is something to read, or room to write. Too late is a ``TimeoutError``, raised in the steps."""

    sock: socket.socket
    #: Of ``select.poll``.
    events: int
    #: By the monotonic clock.
    until: float
    #: What the error says; may be translated when it is needed.
    complaint: object


@dataclass(frozen=True, slots=True)
class Call:
    """Until this function has returned, which blocks. What it raises is raised in the steps."""

    function: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Permission:
    """Until somebody says whether the mail may be sent: True or False is what the ``yield`` gives."""


Steps = Generator[Ready | Call | Permission, Any, _T]


def finish(steps: Steps[_T], permit: Callable[[], bool] | None = None) -> _T:
    """Drive these steps alone, blocking, and return what they return. ``permit`` answers a :class:`Permission`."""
    try:
        wait = next(steps)
        while True:
            given, error = None, None
            try:
                given = _wait(wait, permit)
            except Exception as raised:
                error = raised
            wait = steps.throw(error) if error is not None else steps.send(given)
    except StopIteration as end:
        result: _T = end.value
        return result


def _wait(wait: Ready | Call | Permission, permit: Callable[[], bool] | None) -> bool | None:
    if isinstance(wait, Ready):
        waiting = select.poll()
        waiting.register(wait.sock, wait.events)
        seconds = wait.until - time.monotonic()
        if seconds <= 0 or not waiting.poll(seconds * 1000):
            raise TimeoutError(str(wait.complaint))
        return None
    if isinstance(wait, Call):
        wait.function()
        return None
    assert permit is not None
    return permit()
