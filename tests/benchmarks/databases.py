"""Databases with a mailing that is ready to be sent: filled once, copied for each measurement."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.benchmarks.processes import REPOSITORY
from tests.benchmarks.report import NotMeasured


class Database(ABC):
    """One kind of database. ``filled`` makes what ``copy`` copies."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def filled(self, number: int, module: str = "prepare") -> Iterator[None]:
        """Fill it with ``number`` mails or people by ``tests.benchmarks.<module>``."""
        self.create()
        try:
            command = [sys.executable, "-m", f"tests.benchmarks.{module}", str(number)]
            subprocess.run(command, cwd=REPOSITORY, env=os.environ | self.environment("full"), check=True)
            yield
        finally:
            self.drop("full")

    @contextmanager
    def copy(self) -> Iterator[dict[str, str]]:
        """Yield the environment of a process that works on a fresh copy."""
        self.make_copy()
        try:
            # With a journal folder of its own: what others have noted there is not about this copy.
            with tempfile.TemporaryDirectory(dir=self.folder) as journal:
                yield self.environment("copy") | {"MASSMAIL_BENCH_JOURNAL": journal}
        finally:
            self.drop("copy")

    def environment(self, which: str) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
            "MASSMAIL_SANDBOX_VAR": str(self.folder),
            **self.choice(which),
        }

    @abstractmethod
    def choice(self, which: str) -> dict[str, str]: ...
    @abstractmethod
    def create(self) -> None: ...
    @abstractmethod
    def make_copy(self) -> None: ...
    @abstractmethod
    def drop(self, which: str) -> None: ...


class Sqlite(Database):
    name = "SQLite"

    def choice(self, which: str) -> dict[str, str]:
        return {"MASSMAIL_TEST_DATABASE": "sqlite", "MASSMAIL_BENCH_SQLITE": str(self._file(which))}

    def create(self) -> None:
        self.drop("full")

    def make_copy(self) -> None:
        self.drop("copy")
        shutil.copyfile(self._file("full"), self._file("copy"))

    def drop(self, which: str) -> None:
        for file in self.folder.glob(f"{which}.sqlite3*"):
            file.unlink()

    def _file(self, which: str) -> Path:
        return self.folder / f"{which}.sqlite3"


class Postgresql(Database):
    name = "PostgreSQL"

    def choice(self, which: str) -> dict[str, str]:
        return {"MASSMAIL_TEST_DATABASE": "postgresql", "PGDATABASE": self._database(which)}

    def create(self) -> None:
        self._execute("DROP DATABASE IF EXISTS {}", "full")
        self._execute("CREATE DATABASE {}", "full")

    def make_copy(self) -> None:
        self.drop("copy")
        self._execute("CREATE DATABASE {} TEMPLATE {}", "copy", "full")
        # What the copy has left to be written must not be written while we measure.
        self._execute("CHECKPOINT")

    def drop(self, which: str) -> None:
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", which)

    def _database(self, which: str) -> str:
        return f"massmail_bench_{which}_{os.getpid()}"

    def _execute(self, statement: str, *which: str) -> None:
        names = [sql.Identifier(self._database(one)) for one in which]
        with _server() as connection:
            connection.execute(sql.SQL(statement).format(*names))  # type: ignore[arg-type]


def _server() -> psycopg.Connection:
    host, port = os.environ.get("PGHOST", "127.0.0.1"), os.environ.get("PGPORT", "5432")
    user, password = os.environ.get("PGUSER", "postgres"), os.environ.get("PGPASSWORD", "")
    try:
        return psycopg.connect(
            host=host,
            port=port,
            user=user,
            password=password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )
    except psycopg.OperationalError as error:
        raise NotMeasured(
            f"PostgreSQL cannot be reached at {host}:{port}. PGHOST, PGPORT, PGUSER and PGPASSWORD say where it is."
        ) from error


@contextmanager
def a_folder() -> Iterator[Path]:
    """Yield a folder on a real disk: where /tmp is memory, a commit would cost nothing."""
    parent = "/var/tmp" if Path("/var/tmp").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="massmail-bench-", dir=parent) as folder:
        yield Path(folder)
