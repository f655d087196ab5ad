"""The epoch guard: is this still the database that knows what was sent?

A restored backup has forgotten mails that have left, and a copy on another machine does not hear of those that the
original sends: both would send them again. So the database counts how often it was asked, machines keep the last
count in a file, and both remember which database it was. Where they disagree nothing is sent until a person has said
what to do.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from massmail_plugin.delivery import telling
from massmail_plugin.delivery.keeping import places
from massmail_plugin.delivery.keeping.local_folder import database_key, local_folder
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.models import Epoch
from massmail_plugin.mailings import starting
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import RUNNING, MailingState, move

logger = logging.getLogger("massmail_plugin.delivery")

#: Nothing is at stake where all mailings are in one of these: none would send by itself, or when it is resumed.
_SAFE = (MailingState.DRAFT, MailingState.DONE, MailingState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Note:
    """What this machine has kept about the database."""

    instance: str
    confirmations: int
    mark: int


def may_send() -> bool:
    """Return whether the database can be trusted, and count that it was asked. Before each tick and each turn."""
    # The file first: what it says was committed before it was written, so that a true database is never behind it.
    note = read_note()
    here = places.place()
    epoch, _created = Epoch.objects.get_or_create(pk=1, defaults={"place": here})
    if epoch.doubt:
        return False
    if (doubt := _doubt(epoch, note, here)) and not _settle(epoch, doubt, note, here):
        return False
    if not Epoch.objects.filter(pk=1, doubt="").update(
        # With the first mark of a new database, or a second worker that has read the file of the one before it
        # would take the new one for a stranger.
        mark=F("mark") + 1,
        place=here,
        **(_outdating(epoch, note) if note and epoch.mark == 0 else {}),
    ):
        return False
    epoch.refresh_from_db()
    _keep(epoch)
    return True


def _outdating(epoch: Epoch, note: Note | None) -> dict[str, Any]:
    """Return what makes this note, and those that other machines took at its time, count no more.

    Nothing here is compared by time: a clock that was once ahead would make the guard trust everything until then.
    """
    if note is None:
        return {"confirmations": epoch.confirmations + 1}
    if note.instance == str(epoch.instance):
        return {"confirmations": max(epoch.confirmations, note.confirmations) + 1}
    predecessors = sorted({*epoch.predecessors, note.instance})
    return {"confirmations": epoch.confirmations + 1, "predecessors": predecessors}


def doubt() -> Epoch | None:
    """Return the epoch if nothing may be sent because of it; writes nothing."""
    return Epoch.objects.filter(pk=1).exclude(doubt="").first()


def confirm(*, pause: bool, user: AbstractBaseUser | None = None) -> int:
    """A person says that this is the right database. Returns how many mailings were held back.

    With ``pause`` the mailings under way wait for a decision each: after a backup was restored, which may have
    forgotten mails that have left. Without it they go on: the database was only moved.
    """
    note = read_note()
    with transaction.atomic():
        epoch = Epoch.objects.select_for_update().filter(pk=1).exclude(doubt="").first()
        if epoch is None:
            return 0
        settled = {"doubt": "", "doubted_at": None, "place": places.place()}
        Epoch.objects.filter(pk=1).update(**settled, **_outdating(epoch, note))
        held = _hold_back() if pause else 0
    logger.warning("The database was confirmed by %s; %s mailings held back", user.pk if user else "-", held)
    return held


def _hold_back() -> int:
    notice = _(
        "The database was restored or copied: mails that have left since may look as if they were still waiting. "
        "Resume sends those that wait; Cancel sends nothing more."
    )
    running = move(Mailing.objects.filter(state__in=RUNNING), MailingState.PAUSED, notice=notice)
    pending = Mailing.objects.filter(state=MailingState.PENDING)
    return running + sum(starting.interrupt_start(mailing, notice) for mailing in pending)


def _doubt(epoch: Epoch, note: Note | None, here: str) -> str:
    """Return why the database cannot be trusted; empty if it can."""
    if note is not None and note.instance != str(epoch.instance):
        if epoch.mark > 0 and note.instance not in epoch.predecessors:
            return Epoch.Doubt.REPLACED
    elif note is not None and (note.confirmations, note.mark) > _reached(epoch):
        return Epoch.Doubt.BEHIND
    return Epoch.Doubt.MOVED if epoch.place and here and epoch.place != here else ""


def _reached(epoch: Epoch) -> tuple[int, int]:
    """Return how far the database has come: what a file from before a confirmation knows of its mark is void."""
    return epoch.confirmations, epoch.mark


def _settle(epoch: Epoch, doubt: str, note: Note | None, here: str) -> bool:
    """Stop everything, or trust the database if there is nothing that could be sent twice. Returns whether to go on."""
    trusted = Epoch.objects.filter(pk=1, doubt="")
    if not Mailing.objects.exclude(state__in=_SAFE).exists():
        logger.warning("The database is trusted although it looks %s: no mailing is under way", doubt)
        return bool(trusted.update(place=here, **_outdating(epoch, note)))
    if trusted.update(doubt=doubt, doubted_at=clock.now()):
        logger.error("Nothing is sent any more: %s See massmail_doctor.", Epoch.Doubt(doubt).label)
        telling.tell_administrators(lambda: _("Mailings: no mail is sent any more"), lambda: _words(doubt))
    return False


def _words(doubt: str) -> str:
    ask = _("Nothing is sent until you have decided what to do:")
    return "\n".join([str(Epoch.Doubt(doubt).label), ask, telling.admin_url("massmail_sending:index")])


def note_path() -> Path:
    """Return where this machine keeps its note about this database."""
    return local_folder() / f"epoch-{database_key()}.json"


def read_note() -> Note | None:
    """Return what this machine remembers; None on a new one, or if it cannot be read."""
    try:
        kept = json.loads(note_path().read_text())
        return Note(str(kept["instance"]), int(kept["confirmations"]), int(kept["mark"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(epoch: Epoch) -> None:
    note = {"instance": str(epoch.instance), "confirmations": epoch.confirmations, "mark": epoch.mark}
    # A name of our own, so that threads and processes do not write into each other's.
    own = f".{os.getpid()}-{threading.get_ident()}"
    try:
        path = note_path()
        path.with_suffix(own).write_text(json.dumps(note))
        with _only_one(path):
            if _is_newest(epoch, read_note()):
                path.with_suffix(own).replace(path)
            else:
                path.with_suffix(own).unlink()
    except OSError as error:
        logger.warning("The note about the database could not be kept: %s", error.strerror)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Let nobody else on this machine exchange the file meanwhile."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_newest(epoch: Epoch, kept: Note | None) -> bool:
    """Whether nobody has written a later mark of this database, while we were on our way."""
    if kept is None or kept.instance != str(epoch.instance):
        return True
    return (kept.confirmations, kept.mark) <= _reached(epoch)
