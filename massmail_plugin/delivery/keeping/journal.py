"""The journal: what became of mails, kept on this machine until the database knows it.

A worker that is killed after the server's answer, or a database that is away at that moment, would leave mails in
doubt of which somebody knew what became of them. Each turn has a file of its own and holds a lock on it; the next tick
replays the files whose owners have died (``delivery.keeping.replaying``).

The file's space is taken when it is made: a disk that is full says so before a mail has left, not afterwards.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
import zlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.utils.translation import gettext as _

from massmail_plugin.delivery.keeping.local_folder import database_key, local_folder
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.mailings.states import DeliveryState

#: Bytes of one file: far more than the outcomes of all mails that one turn may have on their way.
SIZE = 1 << 20
#: Bytes of one line at most: an answer of 1000 characters, a provider's id of 255, each four bytes long, and the rest.
_LINE = 6000


class JournalUnusable(Exception):
    """Nothing may be sent: what becomes of it could not be kept. ``str()`` says why, for people."""


class Journal:
    """The file of one turn. Raises :class:`JournalUnusable` when it cannot be made."""

    def __init__(self) -> None:
        try:
            self._path, self._file = _create()
        except OSError as error:
            raise JournalUnusable(_reason(error)) from error
        self._end = 0

    @property
    def has_room(self) -> bool:
        """Whether another line fits."""
        return self._end + _LINE <= SIZE

    def append(self, entry: Entry) -> None:
        """Write down one outcome. From here on it survives the death of this process. Raises ``OSError``."""
        line = _to_line(entry)
        write_at(self._file, self._end, line)
        # Only now: the rest of a line that could not be written is overwritten by the next one.
        self._end += len(line)

    def forget(self) -> None:
        """The database knows everything that was written; begin anew once the file is half full."""
        if self._end > SIZE // 2:
            # Overwritten and not cut off: the space must stay ours.
            write_at(self._file, 0, bytes(self._end))
            self._end = 0

    def close(self, *, keep: bool) -> None:
        """End the turn. ``keep``: the database does not know everything, and the next tick has to tell it."""
        if not keep:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def lines(content: bytes) -> Iterable[bytes]:
    """Yield the lines of a journal, as far as they were written to their end."""
    for line in content.split(b"\n"):
        checksum, _space, text = line.strip(b"\0").partition(b" ")
        if text and checksum == _checksum(text):
            yield line.strip(b"\0")


def read(content: bytes) -> Iterable[Entry]:
    """Yield the outcomes of a journal. Raises ``ValueError`` or the like for one that was not written by us."""
    return map(from_line, lines(content))


def _create() -> tuple[Path, int]:
    folder = local_folder()
    while True:
        path = folder / f"journal-{database_key()}-{uuid.uuid4().hex}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            # Not LOCK_NB: a tick may have the lock for a moment, to see whether the file is abandoned.
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:
                _take_space(file)
                os.fsync(file)
                _sync_folder(folder)
                return path, file
        except BaseException:
            path.unlink(missing_ok=True)
            os.close(file)
            raise
        # That tick was faster than the lock, and has removed it as one that holds nothing.
        os.close(file)


def _take_space(file: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, SIZE)
    else:
        write_at(file, 0, bytes(SIZE))


def write_at(file: int, position: int, content: bytes) -> None:
    """Write all of it there. Raises ``OSError``."""
    while content:
        written = os.pwrite(file, content, position)
        position += written
        content = content[written:]


def _sync_folder(folder: Path) -> None:
    """Let the file's name survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: OSError) -> str:
    words = error.strerror or str(error)
    return _(
        "Nothing was sent, because this machine cannot write down what becomes of the mails: %(words)s. Ask your "
        "administrator to make room, or to choose another folder with the setting JOURNAL_DIR."
    ) % {"words": words}


def _to_line(entry: Entry) -> bytes:
    values = [
        entry.delivery,
        entry.claim_token,
        entry.state.value,
        entry.detail,
        entry.provider_id,
        entry.wait,
        entry.at.isoformat(),
    ]
    # As text and not as escapes, which would be longer. No line break: JSON has none inside.
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return b"%b %b\n" % (_checksum(text), text)


def from_line(line: bytes) -> Entry:
    """Return the outcome in one of :func:`lines`. Raises what :func:`read` raises."""
    text = line.partition(b" ")[2]
    delivery, token, state, detail, provider_id, wait, at = json.loads(text)
    return Entry(
        delivery,
        token,
        DeliveryState(state),
        detail=detail,
        provider_id=provider_id,
        wait=wait,
        at=datetime.fromisoformat(at),
        past_fence=True,
    )


def _checksum(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)
