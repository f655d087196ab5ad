"""Backups and copies of the test's own database, made and restored as an operator would, on every database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from django.db import connection

from tests.database import named


def back_up(folder: Path) -> Path:
    """Write a backup of the whole database into ``folder``."""
    settings = connection.settings_dict
    backup = folder / "backup"
    if connection.vendor == "sqlite":
        _copy_sqlite(settings["NAME"], backup)
    elif connection.vendor == "postgresql":
        _run("pg_dump", "--clean", "--if-exists", "--file", str(backup), settings["NAME"])
    else:
        backup.write_bytes(_run("mysqldump", "--single-transaction", settings["NAME"]))
    return backup


def restore(backup: Path) -> None:
    """Bring the database back to what it was."""
    name = connection.settings_dict["NAME"]
    connection.close()
    if connection.vendor == "sqlite":
        _copy_sqlite(backup, name)
    elif connection.vendor == "postgresql":
        _run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(backup), name)
    else:
        _run("mysql", name, content=backup.read_bytes())


class Clone:
    """A second database with the same content, as for tests. A context manager; ``environment`` leads there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{connection.settings_dict['NAME']}_clone"

    @property
    def environment(self) -> dict[str, str]:
        return {} if connection.vendor == "sqlite" else named(self._name)

    def __enter__(self) -> Clone:
        backup = back_up(self._folder)
        if connection.vendor == "sqlite":
            _copy_sqlite(backup, self._folder / "sandbox.sqlite3")
        elif connection.vendor == "postgresql":
            _run("createdb", self._name)
            _run("psql", "--quiet", "--file", str(backup), self._name)
        else:
            _run("mysql", "--execute", f"CREATE DATABASE {self._name}")
            _run("mysql", self._name, content=backup.read_bytes())
        return self

    def __exit__(self, *error: object) -> None:
        if connection.vendor == "postgresql":
            _run("dropdb", "--force", self._name)
        elif connection.vendor == "mysql":
            _run("mysql", "--execute", f"DROP DATABASE {self._name}")


def _copy_sqlite(source: Any, target: Any) -> None:
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)
    old.close()
    new.close()


def _run(*command: str, content: bytes | None = None) -> bytes:
    settings = connection.settings_dict
    variables = {
        "PGHOST": settings["HOST"],
        "PGPORT": settings["PORT"],
        "PGUSER": settings["USER"],
        "PGPASSWORD": settings["PASSWORD"],
        "MYSQL_HOST": settings["HOST"],
        "MYSQL_TCP_PORT": settings["PORT"],
        "MYSQL_PWD": settings["PASSWORD"],
    }
    if command[0].startswith("mysql"):
        command = (command[0], "--user", settings["USER"], "--protocol", "tcp", *command[1:])
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    done = subprocess.run(command, input=content, env=environment, capture_output=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr.decode()}"
    return done.stdout
