"""The receiver: postfix's smtp-sink, a fresh process for each measurement, whose own counter has the last word."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack

from tests.benchmarks.report import NotMeasured
from tests.processes import free_port

_COUNTER = re.compile(rb"mesg=(\d+)")


class Sink:
    """Takes mails as fast as a server can. A context manager."""

    def __init__(self) -> None:
        program = shutil.which(
            "smtp-sink", path="/usr/sbin:/usr/lib/postfix:/usr/local/sbin:/usr/local/bin:/usr/bin"
        )
        if program is None:
            raise NotMeasured("smtp-sink is missing. It comes with postfix: apt-get install postfix")
        self.port = free_port()
        # It refuses to work as root.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._command = [program, *user, "-c", f"127.0.0.1:{self.port}", "1000"]
        self._ended = ExitStack()

    def check(self, expected: int) -> None:
        """Raise if it has not taken exactly so many mails. It counts a mail before it answers for it."""
        self._said.seek(0)
        counted = _COUNTER.findall(self._said.read())
        taken = int(counted[-1]) if counted else 0
        if taken != expected:
            raise RuntimeError(f"The sink has taken {taken} mails, not {expected}.")

    def __enter__(self) -> Sink:
        self._said = self._ended.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(self._command, stdout=self._said, stderr=subprocess.DEVNULL)
        self._ended.callback(process.wait)
        self._ended.callback(process.kill)
        _wait_for_port(self.port)
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.close()


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
