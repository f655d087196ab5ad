"""``python -m tests``: every test that this machine can run, on each database, and what could not be run here.

With MASSMAIL_FORBID_SKIPS=1 anything that is left out makes the whole run fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

import psycopg

from tests.browser import find_chromium

SIDE_BY_SIDE = ("-n", str(min(os.cpu_count() or 1, 4)))


@dataclass
class Run:
    """One call of pytest."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    status: int = 0
    seconds: float = 0

    def go(self) -> None:
        print(f"\n{self.name}\n{'-' * len(self.name)}", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "--durations=10", *self.arguments]
        self.status = subprocess.run(command, env={**os.environ, **self.environment}).returncode
        self.seconds = time.monotonic() - began

    def __str__(self) -> str:
        return f"{'passed' if self.status == 0 else 'FAILED'}  {self.name} ({self.seconds:.0f} s)"


def main() -> int:
    no_browser, no_postgresql = _without_chromium(), _without_postgresql()
    runs = _runs(browser=not no_browser, postgresql=not no_postgresql)
    for run in runs:
        run.go()
    return _report(runs, no_browser + no_postgresql)


def _runs(*, browser: bool, postgresql: bool) -> list[Run]:
    which = "" if browser else "not browser"
    runs = [
        Run("Unit and integration tests, SQLite", ("tests/unit", "tests/integration", *SIDE_BY_SIDE)),
        Run("Acceptance tests, SQLite", ("tests/acceptance", "-m", which)),
    ]
    if postgresql:
        on_postgresql = {"MASSMAIL_TEST_DATABASE": "postgresql"}
        which = " and ".join(filter(None, [which, "not any_database"]))
        runs += [
            Run("Integration tests, PostgreSQL", ("tests/integration", *SIDE_BY_SIDE), on_postgresql),
            Run("Acceptance tests, PostgreSQL", ("tests/acceptance", "-m", which), on_postgresql),
        ]
    return runs


def _without_chromium() -> list[str]:
    """Return why the tests in a browser cannot run, if they cannot."""
    if find_chromium():
        return []
    return ["Tests in a browser: no Chromium was found. Install it, or name it in MASSMAIL_CHROMIUM."]


def _without_postgresql() -> list[str]:
    """Return why PostgreSQL cannot be tested with, if it cannot."""
    host, port = os.environ.get("PGHOST", "127.0.0.1"), os.environ.get("PGPORT", "5432")
    try:
        psycopg.connect(
            host=host,
            port=port,
            user=os.environ.get("PGUSER", "postgres"),
            password=os.environ.get("PGPASSWORD", ""),
            dbname="postgres",
            connect_timeout=5,
        ).close()
    except psycopg.OperationalError as error:
        reason = str(error).splitlines()[0]
        return [f"Tests on PostgreSQL: no way in at {host}:{port} ({reason})."]
    return []


def _report(runs: list[Run], left_out: list[str]) -> int:
    print("\nAll runs\n--------")
    for run in runs:
        print(run)
    for sentence in left_out:
        print(f"not run  {sentence}")
    incomplete = left_out and os.environ.get("MASSMAIL_FORBID_SKIPS")
    return 1 if incomplete or any(run.status for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
