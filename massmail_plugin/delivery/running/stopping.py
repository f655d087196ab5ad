"""How a process without a cluster is stopped."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_when_told(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first SIGTERM or SIGINT (Ctrl-C); the second one ends the process at once.

    What is in flight then is settled by the journal and the sweeper, as after any crash.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python lets only the main thread have handlers; whoever calls us from another one stops us otherwise.
        yield
        return
    told: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if len(told) > 1:
            # The status that shells give. Not SystemExit, which would wait for the threads.
            os._exit(128 + number)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
