"""``python -m tests``: every test that this machine can run, on each database, and what could not be run here.

With MASSMAIL_FORBID_SKIPS=1 anything that is left out makes the whole run fail.

``python -m tests faults``: 200 workers are killed while 5,000 mails leave; says what became of the mails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

import psycopg

from tests.browser import find_chromium

#: Tests of a group share what they have started (a sandbox), and so a process. One more than there are processors:
#: tests with real processes mostly wait.
SIDE_BY_SIDE = ("--durations=15", "-n", str(min((os.cpu_count() or 1) + 1, 4)), "--dist", "loadgroup")

#: How many workers die in ``python -m tests faults``.
KILLS = 200

#: What claims, counts and moves rows, or tells people apart by text.
ON_MARIADB = (
    "tests/acceptance/faults/test_killed_worker.py",
    "tests/acceptance/faults/test_random_kills.py",
    "tests/integration/infrastructure",
    "tests/integration/recipients",
    "tests/integration/audience/test_adding_from_listings.py",
    "tests/integration/audience/test_carrying.py",
    "tests/integration/audience/test_importing.py",
    "tests/integration/audience/test_list_members.py",
    "tests/integration/audience/test_members_screen.py",
    "tests/integration/audience/test_resolving_lists.py",
    "tests/integration/audience/test_segments.py",
    "tests/integration/audience/test_sources.py",
    "tests/integration/mailings",
    "tests/integration/delivery/test_claim_limits.py",
    "tests/integration/delivery/test_connections.py",
    "tests/integration/delivery/test_epoch.py",
    "tests/integration/delivery/test_ledger.py",
    "tests/integration/delivery/test_routes.py",
    "tests/integration/delivery/test_sending.py",
    "tests/integration/delivery/test_ticker.py",
    "tests/integration/feedback/test_feedback_races.py",
    "tests/integration/feedback/test_figures.py",
    "tests/integration/feedback/test_settling_doubts.py",
)


@dataclass
class Run:
    """One call of pytest."""

    name: str
    arguments: tuple[str, ...]
    database: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    status: int = 0
    seconds: float = 0

    def go(self) -> None:
        print(f"\n{self.name}\n{'-' * len(self.name)}", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", *self.arguments]
        environment = {**os.environ, "MASSMAIL_TEST_DATABASE": self.database, **self.variables}
        self.status = subprocess.run(command, env=environment).returncode
        self.seconds = time.monotonic() - began

    def __str__(self) -> str:
        return f"{'passed' if self.status == 0 else 'FAILED'}  {self.name} ({self.seconds:.0f} s)"


def main() -> int:
    no_browser, no_postgresql, no_mariadb = _without_chromium(), _without_postgresql(), _without_mariadb()
    databases = ["postgresql"] * (not no_postgresql) + ["mariadb"] * (not no_mariadb)
    runs = _runs(browser=not no_browser, databases=databases)
    left_out = no_browser + no_postgresql + no_mariadb
    if sys.argv[1:] == ["faults"]:
        runs, left_out = _random_kills(databases), no_postgresql
    for run in runs:
        run.go()
    return _report(runs, left_out)


def _runs(*, browser: bool, databases: list[str]) -> list[Run]:
    which = "" if browser else "not browser"
    # The acceptance tests first: they are the longest, and mostly wait.
    arguments = (*SIDE_BY_SIDE, "tests/acceptance", "tests/unit", "tests/integration", "-m", which)
    runs = [Run("Every test, on SQLite", arguments)]
    which = " and ".join(filter(None, [which, "not any_database"]))
    if "postgresql" in databases:
        arguments = (*SIDE_BY_SIDE, "tests/acceptance", "tests/integration", "-m", which)
        runs.append(Run("What the database can change, on PostgreSQL", arguments, "postgresql"))
    if "mariadb" in databases:
        runs.append(
            Run(
                "What writes by SQL of our own, on MariaDB",
                (*SIDE_BY_SIDE, *ON_MARIADB, "-m", which),
                "mariadb",
            )
        )
    return runs


def _random_kills(databases: list[str]) -> list[Run]:
    """Return the long runs of what is short in the others; "-s" shows what each has to say at its end."""
    arguments = ("-q", "-s", "tests/acceptance/faults/test_random_kills.py")
    return [
        Run(f"{KILLS} random kills, {name}", arguments, database, {"MASSMAIL_TEST_KILLS": str(KILLS)})
        for database, name in (("", "SQLite"), ("postgresql", "PostgreSQL"))
        if not database or database in databases
    ]


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


def _without_mariadb() -> list[str]:
    """Return why MariaDB cannot be tested with, if it cannot."""
    host, port = os.environ.get("MYSQL_HOST", "127.0.0.1"), os.environ.get("MYSQL_TCP_PORT", "3306")
    try:
        import MySQLdb
    except ImportError:
        return ["Tests on MariaDB: mysqlclient is not installed; see pyproject.toml, group mariadb."]
    try:
        MySQLdb.connect(
            host=host,
            port=int(port),
            user=os.environ.get("MYSQL_USER", "root"),
            password=os.environ.get("MYSQL_PWD", ""),
            connect_timeout=5,
        ).close()
    except MySQLdb.OperationalError as error:
        return [f"Tests on MariaDB: no way in at {host}:{port} ({error.args[-1]})."]
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
