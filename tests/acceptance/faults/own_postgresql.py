"""A PostgreSQL server of a test's own, which may be killed."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from django.db import connection

from tests.acceptance.faults.workers import Worker
from tests.database import REACHABLE
from tests.processes import PATIENCE_SECONDS, free_port

#: PostgreSQL does not start as root.
_USER = "postgres" if os.geteuid() == 0 else None


def programs() -> Path | None:
    """Return the folder of Debian's newest PostgreSQL programs, or of those on the path; None if there are none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = shutil.which("initdb")
    return folders[-1] if folders else Path(found).parent if found else None


class OwnPostgresql:
    """A context manager: starts with a copy of the tests' database, which is what this process then uses."""

    def __init__(self, folder: Path) -> None:
        self._programs = folder
        self._port = free_port()

    def __enter__(self) -> OwnPostgresql:
        self._data = Path(tempfile.mkdtemp(prefix="massmail-postgresql-"))
        if _USER:
            shutil.chown(self._data, _USER)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", f"--pgdata={self._data}")
        self.start()
        dump = subprocess.run(
            [self._programs / "pg_dump", "--no-owner", *self._where(connection.settings_dict)],
            env={**os.environ, "PGPASSWORD": connection.settings_dict["PASSWORD"]},
            check=True,
            capture_output=True,
        ).stdout
        ours: dict[str, Any] = {
            "HOST": "127.0.0.1",
            "PORT": str(self._port),
            "USER": "postgres",
            "NAME": "postgres",
        }
        # With what tests have else ("synchronous_commit=off") a killed server forgets what it has promised.
        ours = {**ours, "OPTIONS": {}}
        restore = [self._programs / "psql", "--quiet", "--set=ON_ERROR_STOP=1", *self._where(ours)]
        subprocess.run(restore, input=dump, check=True, capture_output=True)
        connection.close()
        self._before = dict(connection.settings_dict)
        connection.settings_dict.update(ours)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection.close()
        connection.settings_dict.update({key: self._before[key] for key in (*REACHABLE, "OPTIONS")})
        self.kill()
        shutil.rmtree(self._data)

    def start(self) -> None:
        """Start it, after a kill too; returns when it answers."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        log = self._data / "log"
        self._run(
            "pg_ctl", "start", "--wait", f"--pgdata={self._data}", f"--log={log}", f"--options={options}"
        )

    def kill(self) -> None:
        """End all its processes as a power cut would."""
        connection.close()
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        postmaster = pid_file.read_text().split()[0]
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", postmaster], capture_output=True, text=True)
        processes = [int(postmaster), *map(int, listed.stdout.split())]
        for number in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for number in processes:
            _wait_for_its_end(number)
        # Or the next start would find the number of a living process in it, by chance.
        pid_file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def away_after(self, worker: Worker) -> Iterator[Worker]:
        """Wait until ``worker`` has stopped itself; be dead in the block."""
        worker.wait_until_stopped()
        self.kill()
        try:
            yield worker
        finally:
            self.start()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=_USER,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def _where(self, settings: dict[str, Any]) -> list[str]:
        where = {"host": "HOST", "port": "PORT", "username": "USER", "dbname": "NAME"}
        return [f"--{option}={settings[key]}" for option, key in where.items()]


def _wait_for_its_end(process: int) -> None:
    """Not our child: only the system can say that it has gone."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(process)
        try:
            ended, _, _ = select.select([handle], [], [], PATIENCE_SECONDS)
            assert ended, f"Process {process} does not end."
        finally:
            os.close(handle)
