"""Where a process's processor time goes: what it is at, looked up at every few milliseconds of it.

By SIGPROF, which counts processor time only and so disturbs no waiting. Python runs the handler between two steps of
its own: what happens inside one (SQLite, encoding, a system call) is counted where it was called.
"""

from __future__ import annotations

import gc
import signal
from collections import Counter
from types import FrameType
from typing import Any

#: Seconds of processor time between two looks. The kernel's clock may make it more.
_INTERVAL = 0.001
_APP = "massmail_plugin."
_COLLECTING = "garbage collection"


class Sampler:
    """Counts, by module of the app, how often it was at work."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        gc.callbacks.append(self._note_collection)
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if self._note_collection in gc.callbacks:
            gc.callbacks.remove(self._note_collection)

    def _note_collection(self, phase: str, info: dict[str, Any]) -> None:
        """A signal that came during a collection is handled as soon as Python runs again: here."""

    def _look(self, number: int, frame: FrameType | None) -> None:
        self.counts[_place(frame)] += 1


def _place(frame: FrameType | None) -> str:
    """Return the innermost module of the app that is at work in this frame."""
    if frame is not None and frame.f_code is Sampler._note_collection.__code__:
        return _COLLECTING
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith(_APP):
            return name.removeprefix(_APP)
        frame = frame.f_back
    return "the benchmark itself"
