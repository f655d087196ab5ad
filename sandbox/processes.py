"""The demo's child processes: start, wait until they answer, stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox import keeper

_KEEPER = Path(keeper.__file__)
_POLL_SECONDS = 0.2


class ChildStopped(Exception):
    """A child process ended, or did not start to answer; ``str()`` says which one and where its log is."""


class Child:
    """One command in its own process group, with its own log."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, str(_KEEPER), *command],
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise :class:`ChildStopped` if the command has ended."""
        if self._keeper.poll() is not None:
            raise ChildStopped(f"The {self.name} has stopped. Its log says why: {self.log}")

    def stop(self) -> None:
        """Ask the command to stop, wait, and kill what is left."""
        assert self._keeper.stdin is not None
        with contextlib.suppress(OSError):
            self._keeper.stdin.close()
        try:
            self._keeper.wait(keeper.PATIENCE + 5)
        except subprocess.TimeoutExpired:
            os.killpg(self._keeper.pid, signal.SIGKILL)
            self._keeper.wait()


def wait_until_all_answer(children: Mapping[Child, Callable[[], bool]], *, seconds: float = 180) -> None:
    """Return when every child answers. Raises :class:`ChildStopped` if one ends or takes too long."""
    deadline = time.monotonic() + seconds
    for child, answers in children.items():
        while not answers():
            # Any of them: a child that is not asked yet may be the one that has stopped.
            for any_child in children:
                any_child.check()
            if time.monotonic() > deadline:
                raise ChildStopped(f"The {child.name} does not answer. Its log may say why: {child.log}")
            time.sleep(_POLL_SECONDS)


def free_port(wanted: int) -> int:
    """Return ``wanted``, or another port if somebody listens there."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", wanted)) != 0 and _can_listen(wanted):
            return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of the demo that has just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
