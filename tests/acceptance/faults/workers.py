"""Real worker processes for tests: started in milliseconds, killed at will, waited for without sleeping."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from django.db import connection

from tests.acceptance.faults.failpoints import Failpoint
from tests.database import REACHABLE
from tests.processes import PATIENCE_SECONDS, REPOSITORY, sandbox_environment


class Zygote:
    """What all workers of a test process are forks of, started by ``command``. A context manager."""

    def __init__(self, *command: str) -> None:
        self._command = command

    def __enter__(self) -> Zygote:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *self._command,
                    sys.executable,
                    "-m",
                    "tests.acceptance.faults.zygote",
                    str(theirs.fileno()),
                ],
                cwd=REPOSITORY,
                env={**sandbox_environment(), "PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return self

    def fork(self, order: dict[str, Any]) -> tuple[int, int]:
        """Return a new worker's process id, and the end of the pipe that it holds until it ends."""
        ours, theirs = os.pipe()
        try:
            socket.send_fds(self._socket, [json.dumps(order).encode()], [theirs])
        finally:
            os.close(theirs)
        answer = self._socket.recv(64)
        assert answer, "The zygote has ended; its words stand above."
        return int(answer), ours

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.wait(PATIENCE_SECONDS)


class Worker:
    """One worker process. ``result`` is what its role returned; None while it works, and if it was killed."""

    def __init__(self, role: str, pid: int, pipe: int) -> None:
        self.role, self.pid = role, pid
        self._pipe = pipe
        self.has_ended = False
        self.result: dict[str, Any] | None = None

    def fileno(self) -> int:
        """The pipe's end: readable when the worker has ended."""
        return self._pipe

    def wait(self) -> dict[str, Any] | None:
        """Return its result once it has ended, however it did."""
        if not self.has_ended:
            content = b""
            while part := self._read():
                content += part
            os.close(self._pipe)
            self.has_ended = True
            self.result = json.loads(content) if content else None
        return self.result

    def done(self) -> dict[str, Any]:
        """Return its result; it must have come to its end by itself and without an error."""
        result = self.wait()
        assert result is not None, f"The worker ({self.role}) was killed."
        assert "raised" not in result, f"The worker ({self.role}) broke off: {result['raised']}"
        return result

    def wait_for_its_death(self) -> None:
        """Its failpoint must have been reached."""
        result = self.wait()
        assert result is None, f"The worker ({self.role}) did not come to its failpoint: {result}"

    def wait_until_stopped(self) -> None:
        """Return when SIGSTOP has stopped it. No event tells that to anybody but its parent."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while self._state() != "T":
            assert time.monotonic() < give_up, f"The worker ({self.role}) was not stopped."
            os.sched_yield()

    def tell(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        if not self.has_ended:
            self.tell(signal.SIGKILL)
            self.wait()

    def _read(self) -> bytes:
        ready, _, _ = select.select([self._pipe], [], [], PATIENCE_SECONDS)
        assert ready, f"The worker ({self.role}, process {self.pid}) does not end."
        return os.read(self._pipe, 1 << 16)

    def _state(self) -> str:
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0]


class Workers:
    """Starts the workers of one test; all that are left end with it."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        self._zygote = zygote
        self.log = folder / "workers.log"
        self.journals = folder / "journals"
        self._all: list[Worker] = []
        #: Of every worker that is started from now on.
        self.massmail: dict[str, Any] = {"JOURNAL_DIR": str(self.journals), "RUNNER": "worker"}

    def start(
        self,
        role: str,
        *failpoints: Failpoint,
        massmail: dict[str, Any] | None = None,
        largest_file: int = 0,
        log: Path | None = None,
        **arguments: Any,
    ) -> Worker:
        """Start a worker.

        ``massmail``: settings of this one alone. ``largest_file``: the bytes that a file of it may have; 0: no limit.
        """
        order = {
            "role": role,
            "arguments": arguments,
            "failpoints": [asdict(point) for point in failpoints],
            "massmail": {**self.massmail, **(massmail or {})},
            "largest_file": largest_file,
            "database": {key: connection.settings_dict[key] for key in (*REACHABLE, "OPTIONS")},
            "log": str(log or self.log),
        }
        worker = Worker(role, *self._zygote.fork(json.loads(json.dumps(order, default=str))))
        self._all.append(worker)
        return worker

    def one_pass(self, **kwargs: Any) -> dict[str, Any]:
        """Let one worker do everything that is due, and end."""
        return self.start("one_pass", **kwargs).done()

    def alive(self) -> list[Worker]:
        return [worker for worker in self._all if not worker.has_ended]

    def wait_for_any(self) -> Worker:
        """Return a worker that has ended just now."""
        ready, _, _ = select.select(self.alive(), [], [], PATIENCE_SECONDS)
        assert ready, "No worker ends."
        worker: Worker = ready[0]
        worker.wait()
        return worker

    def any_ends_before(self, happened: Callable[[], bool]) -> bool:
        """Wait until ``happened`` or until a worker has ended; returns whether it was the latter."""
        while not happened():
            # A look each millisecond: there is no event for "either of the two".
            ready, _, _ = select.select(self.alive(), [], [], 0.001)
            if ready:
                return True
        return False

    def wait_until_one_says(self, words: str) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while words not in self.said():
            assert time.monotonic() < give_up, f"No worker has said {words!r}:\n{self.said()}"
            # A file tells nobody that it has grown.
            select.select([], [], [], 0.01)

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def end(self) -> None:
        for worker in self.alive():
            worker.tell(signal.SIGCONT)
            worker.kill()
