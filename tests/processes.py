"""Real processes of the sandbox: started in a group of their own, waited for by what they say, ended with the test."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection

from tests.database import named

REPOSITORY = Path(__file__).resolve().parent.parent
MANAGE = (sys.executable, "sandbox/manage.py")

#: Far more than any of this takes, so that only a hung process meets it.
PATIENCE_SECONDS = 90


def sandbox_environment(**variables: str) -> dict[str, str]:
    """Return the environment for a process that works on this test's own database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "sandbox.settings",
        "MASSMAIL_SANDBOX_VAR": str(settings.VAR),
        **named(str(connection.settings_dict["NAME"])),
        "PYTHONUNBUFFERED": "1",
        **variables,
    }


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def wait_until(happened: Callable[[], bool], what: str) -> None:
    """Look again and again: rows, files and ports tell nobody that they have changed."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < give_up, f"This has not happened: {what}."
        time.sleep(0.05)


class Process:
    """One running process. A context manager: leaving it ends the whole process group."""

    def __init__(self, *command: str, env: dict[str, str], folder: Path = REPOSITORY) -> None:
        self.command = command
        self._lines: queue.Queue[str | None] = queue.Queue()
        #: Everything that it has said.
        self.output: list[str] = []
        self._killed = False
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        # Read all the time: a full pipe would stop the process.
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def wait_until_it_says(self, words: str) -> None:
        """Return at the next line with ``words`` in it."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                raise AssertionError(f"{self} did not say {words!r}:\n{self.said()}") from None
            if line is None:
                raise AssertionError(f"{self} has ended without saying {words!r}:\n{self.said()}")
            if words in line:
                return

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for_its_end(self) -> int:
        """Return its exit status."""
        return self._process.wait(PATIENCE_SECONDS)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, and not to its children."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the whole group as a power cut would: at once, and nothing can be tidied up."""
        self._kill_group()
        self._process.wait(PATIENCE_SECONDS)
        self._killed = True

    def said(self) -> str:
        return "".join(self.output)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        if self._killed:
            # The number of the group may be somebody else's by now.
            return
        # To the process alone: it knows best how to end its children.
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        # For children that outlived it: a cluster's workers ignore SIGTERM while they work.
        self._kill_group()
        self._process.wait(PATIENCE_SECONDS)

    def __str__(self) -> str:
        return " ".join(Path(part).name for part in self.command)
