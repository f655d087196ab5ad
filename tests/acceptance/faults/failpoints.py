"""Faults inside a worker. The worker process wraps functions of the app by these; the app knows nothing of them."""

from __future__ import annotations

import functools
import os
import pkgutil
import signal
import threading
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError


@dataclass(frozen=True)
class Failpoint:
    """What is to happen at one function of the app."""

    #: "package.module:function" or "package.module:Class.method"; as its caller finds it.
    at: str
    #: "before" or "after": the call. After one that has returned something (an empty claim does not count).
    when: str = "before"
    #: At which call that is about it, counted from 1; 0: at each.
    nth: int = 1
    #: Only calls with this text in one of their arguments, written as text.
    about: str = ""
    #: One of :data:`FAULTS`.
    fault: str = "killed"


def _killed(*args: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stopped(*args: Any) -> None:
    """Wait for SIGCONT."""
    # Sent to the process, the signal may wake another thread first, and this one would go on for a moment.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _deadlock(*args: Any) -> None:
    raise OperationalError("deadlock detected")


def _out_of_memory(*args: Any) -> None:
    raise MemoryError


def _disk_full(*args: Any) -> None:
    raise OSError(28, "No space left on device")


def _killed_half_way(connection: Any, data: bytes, *args: Any) -> None:
    """Of what sends data over a connection."""
    connection.send(data[: len(data) // 2])
    _killed()


FAULTS = {
    "killed": _killed,
    "killed half way": _killed_half_way,
    "stopped": _stopped,
    "deadlock": _deadlock,
    "out of memory": _out_of_memory,
    "disk full": _disk_full,
}


def install(point: Failpoint) -> None:
    """Let the fault happen in this process. Raises ``AttributeError`` if the app has no such function."""
    place, _dot, name = point.at.replace(":", ".").rpartition(".")
    owner = pkgutil.resolve_name(place)
    original = getattr(owner, name)
    fault, calls = FAULTS[point.fault], 0

    def is_due(arguments: tuple[Any, ...]) -> bool:
        nonlocal calls
        if point.about and not any(point.about in str(argument) for argument in arguments):
            return False
        calls += 1
        return point.nth in (0, calls)

    @functools.wraps(original)
    def failing(*args: Any, **kwargs: Any) -> Any:
        if point.when == "before":
            if is_due(args):
                fault(*args)
            return original(*args, **kwargs)
        result = original(*args, **kwargs)
        if result and is_due(args):
            fault(*args)
        return result

    setattr(owner, name, failing)
