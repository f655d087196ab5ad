"""Tells the database what dead workers have left in their journals.

A line is matched by the mail's number and claim token and changes nothing that has moved on, so that replaying it
twice, or after all, does no harm.
"""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from django.db import InterfaceError, OperationalError, ProgrammingError

from massmail_plugin.delivery.keeping.journal import SIZE, from_line, lines, write_at
from massmail_plugin.delivery.keeping.local_folder import database_key, local_folder
from massmail_plugin.delivery.ledger import writing
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState

logger = logging.getLogger("massmail_plugin.delivery")

#: The database is away, or has just been migrated and this process is of the old version: next time.
_NOT_NOW = (OperationalError, InterfaceError, ProgrammingError)


def replay() -> int:
    """Replay all journals whose workers have died. Returns how many mails that settled."""
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
        told = list(lines(os.pread(file, SIZE, 0)))
        settled, left = _settle(told)
        if left:
            logger.error("The journal %s: %s lines cannot be told, and are put aside", path.name, len(left))
            if len(left) < len(told):
                write_at(file, 0, b"\n".join(left).ljust(SIZE, b"\0"))
            path.replace(path.with_name(f"broken-{path.name}"))
        else:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)
    if settled:
        logger.warning("%s mails were settled from the journal of a worker that has ended", settled)
    return settled


def _settle(told: list[bytes]) -> tuple[int, list[bytes]]:
    """Write these lines to the ledger. Returns how many mails that settled, and the lines that say nothing to it."""
    try:
        entries = [from_line(line) for line in told]
        settled = writing.write(entries) if entries else 0
    except _NOT_NOW:
        raise
    except Exception as error:
        if len(told) == 1:
            logger.exception("A line of a journal cannot be told", exc_info=error)
            return 0, told
        # One of them spoils the others.
        each = [_settle([line]) for line in told]
        return sum(settled for settled, _left in each), [line for _settled, left in each for line in left]
    return (settled, []) if settled or _are_known(entries) else (0, told)


def _are_known(entries: list[Entry]) -> bool:
    """Whether the ledger has heard of any of these: another database may have taken this one's place.

    Asked about accepted mails only, whose claims it never forgets.
    """
    sent = [entry for entry in entries if entry.state == DeliveryState.ACCEPTED]
    here = Delivery.ledger.filter(
        pk__in=[entry.delivery for entry in sent], claim_token__in={entry.claim_token for entry in sent}
    )
    return not sent or here.exists()


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
