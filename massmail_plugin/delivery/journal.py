"""The journal: what became of mails, kept on this machine until the database knows it.

A worker that is killed after the server's answer, or a database that is away at that moment, would leave mails in
doubt of which somebody knew what became of them. Each turn has a file of its own and holds a lock on it; the next tick
replays the files whose owners have died. A line is matched by the mail's number and claim token and changes nothing
that has moved on, so that replaying it twice, or after all, does no harm.

The file's space is taken when it is made: a disk that is full says so before a mail has left, not afterwards.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import uuid
import zlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.db import InterfaceError, OperationalError, ProgrammingError
from django.utils.translation import gettext as _

from massmail_plugin.delivery import ledger
from massmail_plugin.delivery.ledger import Entry
from massmail_plugin.delivery.local_folder import database_key, local_folder
from massmail_plugin.mailings.states import DeliveryState

logger = logging.getLogger("massmail_plugin.delivery")

#: Bytes of one file: far more than the outcomes of all mails that one turn may have on their way.
_SIZE = 1 << 20
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
        return self._end + _LINE <= _SIZE

    def append(self, entry: Entry) -> None:
        """Write down one outcome. From here on it survives the death of this process. Raises ``OSError``."""
        line = _to_line(entry)
        _write_at(self._file, self._end, line)
        # Only now: the rest of a line that could not be written is overwritten by the next one.
        self._end += len(line)

    def forget(self) -> None:
        """The database knows everything that was written; begin anew once the file is half full."""
        if self._end > _SIZE // 2:
            # Overwritten and not cut off: the space must stay ours.
            _write_at(self._file, 0, bytes(self._end))
            self._end = 0

    def close(self, *, keep: bool) -> None:
        """End the turn. ``keep``: the database does not know everything, and the next tick has to tell it."""
        if not keep:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def replay() -> int:
    """Tell the database what dead workers have left in their journals. Returns how many mails that settled."""
    try:
        paths = _journals()
    except OSError as error:
        logger.error("Journals cannot be read: %s", error)
        return 0
    return sum(_replay_one(path) for path in paths)


def unread() -> list[Path]:
    """Return the journals of workers that have died, which no tick has replayed yet. Raises ``OSError``."""
    return [path for path in _journals() if _is_abandoned(path)]


def put_aside() -> list[Path]:
    """Return the journals that could not be read. Raises ``OSError``."""
    return sorted(local_folder().glob(f"broken-journal-{database_key()}-*"))


def _journals() -> list[Path]:
    return sorted(local_folder().glob(f"journal-{database_key()}-*"))


def _is_abandoned(path: Path) -> bool:
    file = _open_if_abandoned(path)
    if file is None:
        return False
    os.close(file)
    return True


def _replay_one(path: Path) -> int:
    file = _open_if_abandoned(path)
    if file is None:
        return 0
    try:
        entries = list(read(os.pread(file, _SIZE, 0)))
        settled = ledger.write(entries) if entries else 0
        path.unlink(missing_ok=True)
    except (OperationalError, InterfaceError, ProgrammingError):
        raise  # The database is away, or has just been migrated and this process is of the old version: next time.
    except Exception:
        logger.exception("The journal %s cannot be replayed; it is put aside", path.name)
        path.replace(path.with_name(f"broken-{path.name}"))
        return 0
    finally:
        os.close(file)
    if settled:
        logger.warning("%s mails were settled from the journal of a worker that has ended", settled)
    return settled


def _open_if_abandoned(path: Path) -> int | None:
    """Return the open file if nobody else has its lock; None if its worker lives, or somebody was faster."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    with suppress(OSError):
        if os.fstat(file).st_uid == os.geteuid():
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
    os.close(file)
    return None


def read(content: bytes) -> Iterable[Entry]:
    """Yield the outcomes of a journal. A line that was not written to its end is passed over."""
    for line in content.split(b"\n"):
        checksum, _space, text = line.strip(b"\0").partition(b" ")
        if text and checksum == _checksum(text):
            yield _from_text(text)


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
        os.posix_fallocate(file, 0, _SIZE)
    else:
        _write_at(file, 0, bytes(_SIZE))


def _write_at(file: int, position: int, content: bytes) -> None:
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


def _from_text(text: bytes) -> Entry:
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
