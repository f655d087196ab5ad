"""Received mail on disk: one file per mail, and a small index that makes lists of thousands fast.

The files are the truth. The index is a separate SQLite file, so that receiving mail never waits for the
sandbox's own database, and it is rebuilt from the files when it is missing.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mail (
    id INTEGER PRIMARY KEY,
    file TEXT NOT NULL UNIQUE,
    received_ns INTEGER NOT NULL,
    recipients TEXT NOT NULL,
    sender TEXT NOT NULL,
    subject TEXT NOT NULL,
    size INTEGER NOT NULL
);
"""
_COLUMNS = "id, file, received_ns, recipients, sender, subject, size"


@dataclass(frozen=True)
class Entry:
    """What the list shows of one mail."""

    id: int
    file: str
    received_ns: int
    recipients: str
    sender: str
    subject: str
    size: int

    @property
    def received_at(self) -> datetime:
        return datetime.fromtimestamp(self.received_ns / 1e9, tz=UTC)


class Maildir:
    """A folder of received mails. Any number of processes may use it at a time."""

    def __init__(self, folder: Path) -> None:
        self._new, self._tmp = folder / "new", folder / "tmp"
        for subfolder in (self._new, self._tmp):
            subfolder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "index.sqlite3"
        with self._connect() as connection:
            # Persistent, so that readers never wait for the server that is writing.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)
        self._index_missing()

    def store(self, raw: bytes, sender: str, recipients: Sequence[str]) -> Path:
        """Write one mail. When this returns, it survives a power cut."""
        trace = "".join(f"Delivered-To: {_one_line(recipient)}\r\n" for recipient in recipients)
        content = f"Return-Path: <{_one_line(sender)}>\r\n{trace}".encode() + raw
        name = f"{time.time_ns()}.{os.getpid()}.eml"
        with (self._tmp / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path = (self._tmp / name).rename(self._new / name)
        _fsync_folder(self._new)
        with self._connect() as connection:
            _add_to_index(connection, path)
        return path

    def count(self, search: str = "") -> int:
        where, values = _matching(search)
        with self._connect() as connection:
            return connection.execute(f"SELECT COUNT(*) FROM mail {where}", values).fetchone()[0]

    def entries(self, search: str = "", *, offset: int = 0, limit: int = 50) -> list[Entry]:
        """Return the newest mails first; ``search`` looks into recipients, sender and subject."""
        where, values = _matching(search)
        query = f"SELECT {_COLUMNS} FROM mail {where} ORDER BY received_ns DESC, id DESC LIMIT ? OFFSET ?"
        with self._connect() as connection:
            return [Entry(*row) for row in connection.execute(query, (*values, limit, offset))]

    def entry(self, number: int) -> Entry | None:
        with self._connect() as connection:
            # As text: SQLite compares numbers of any size, Python's driver refuses to hand over large ones.
            row = connection.execute(f"SELECT {_COLUMNS} FROM mail WHERE id = ?", (str(number),)).fetchone()
        return Entry(*row) if row else None

    def raw(self, entry: Entry) -> bytes:
        return (self._new / entry.file).read_bytes()

    def message(self, entry: Entry) -> EmailMessage:
        return BytesParser(policy=policy.default).parsebytes(self.raw(entry))  # type: ignore[return-value]

    def _index_missing(self) -> None:
        """Index the files that a crash, or a deleted index, has left out."""
        with self._connect() as connection:
            known = {name for (name,) in connection.execute("SELECT file FROM mail")}
            for path in sorted(self._new.iterdir()):
                if path.name not in known:
                    _add_to_index(connection, path)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._index, timeout=30)) as connection, connection:
            # A lost index is rebuilt; only the files have to be on disk.
            connection.execute("PRAGMA synchronous=OFF")
            yield connection


def _add_to_index(connection: sqlite3.Connection, path: Path) -> None:
    with path.open("rb") as file:
        headers = BytesHeaderParser(policy=policy.default).parse(file)
    connection.execute(
        "INSERT OR IGNORE INTO mail (file, received_ns, recipients, sender, subject, size)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            path.name,
            int(path.name.partition(".")[0]),
            ", ".join(str(value) for value in headers.get_all("Delivered-To", [])),
            str(headers["From"] or ""),
            str(headers["Subject"] or ""),
            path.stat().st_size,
        ),
    )


def _matching(search: str) -> tuple[str, tuple[str, ...]]:
    """Every word has to be found somewhere."""
    words = search.split()
    clause = r"(recipients || ' ' || sender || ' ' || subject) LIKE ? ESCAPE '\'"
    escaped = [word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for word in words]
    where = "WHERE " + " AND ".join([clause] * len(words)) if words else ""
    return where, tuple(f"%{word}%" for word in escaped)


def _one_line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


def _fsync_folder(folder: Path) -> None:
    """The new name is only safe when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
