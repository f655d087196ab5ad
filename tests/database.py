"""The databases that tests work on. Each process of a test run has one of its own.

Migrating takes longer than most rooms' tests, so that it is done once for a whole run: all others get a copy.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management import call_command
from django.db import connection

#: What of its settings says where a database is.
REACHABLE = ("NAME", "HOST", "PORT", "USER", "PASSWORD")

#: The folder that all processes of a run share.
_SHARED = "MASSMAIL_TESTS_SHARED"


@contextmanager
def shared_by_a_run() -> Iterator[None]:
    """Own what the processes of a run share, unless a parent process does."""
    if _SHARED in os.environ:
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix="massmail-test-run-"))
    os.environ[_SHARED] = str(folder)
    try:
        yield
    finally:
        del os.environ[_SHARED]
        for template in folder.glob("*.template"):
            _drop(template.read_text())
        shutil.rmtree(folder)


def make_template() -> None:
    """Migrate a database for this run, unless another process has done so."""
    made = _template()
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            return
        folder = str(made.parent / "template.sqlite3")
        name = folder if connection.vendor == "sqlite" else f"massmail_test_{uuid4().hex[:8]}"
        _create(name)
        _migrate(name)
        made.write_text(name)


@contextmanager
def temporary_database(folder: Path) -> Iterator[dict[str, str]]:
    """Make a migrated database for processes that keep everything in ``folder``; yields what tells them of it."""
    if connection.vendor == "sqlite":
        _copy(_template().read_text(), str(folder / "sandbox.sqlite3"))
        yield {}
        return
    name = f"massmail_test_{uuid4().hex[:8]}"
    _copy(_template().read_text(), name)
    try:
        yield named(name)
    finally:
        _drop(name)


@contextmanager
def database_of_this_process() -> Iterator[None]:
    """Make the database that the settings name; it is gone afterwards."""
    name = str(settings.DATABASES["default"]["NAME"])
    _copy(_template().read_text(), name)
    try:
        yield
    finally:
        connection.close()
        _drop(name)


def named(database: str) -> dict[str, str]:
    """Return the environment in which the sandbox uses this database of the tests' server."""
    return {"PGDATABASE": database, "MYSQL_DATABASE": database}


def _template() -> Path:
    """Return the file that names the run's migrated database once there is one."""
    return Path(os.environ[_SHARED]) / f"{connection.vendor}.template"


def _migrate(name: str) -> None:
    used = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = used


def _create(name: str) -> None:
    if connection.vendor == "postgresql":
        _tell_the_server(f'CREATE DATABASE "{name}"')
    elif connection.vendor == "mysql":
        _tell_the_server(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")


def _copy(template: str, name: str) -> None:
    if connection.vendor == "postgresql":
        _tell_the_server(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    elif connection.vendor == "mysql":
        _create(name)
        options = _mariadb_options()
        with subprocess.Popen(["mariadb-dump", *options, template], stdout=subprocess.PIPE) as dump:
            subprocess.run(["mariadb", *options, name], stdin=dump.stdout, check=True)
        assert dump.returncode == 0
    else:
        shutil.copy(template, name)


def _drop(name: str) -> None:
    if connection.vendor == "postgresql":
        _tell_the_server(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    elif connection.vendor == "mysql":
        _tell_the_server(f"DROP DATABASE IF EXISTS `{name}`")
    else:
        for end in ("", "-wal", "-shm"):
            Path(name + end).unlink(missing_ok=True)


def _tell_the_server(statement: str) -> None:
    with closing(_server()) as server, server.cursor() as cursor:
        cursor.execute(statement)


def _server() -> Any:
    """Return a connection to the server that is to none of the databases."""
    parameters = connection.get_connection_params()
    if connection.vendor == "postgresql":
        import psycopg

        who = {key: parameters.get(key) for key in ("host", "port", "user", "password")}
        return psycopg.connect(**who, dbname="postgres", autocommit=True)
    import MySQLdb

    who = {key: parameters[key] for key in ("host", "port", "user", "password") if key in parameters}
    return MySQLdb.connect(**who, autocommit=True)


def _mariadb_options() -> list[str]:
    used = connection.settings_dict
    options = [f"--host={used['HOST']}", f"--port={used['PORT']}", f"--user={used['USER']}"]
    return [*options, f"--password={used['PASSWORD']}"]
