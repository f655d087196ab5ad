"""The work on an import, by whatever process has the time. It may be killed anywhere, and goes on where it was.

A row may make each worker die that reads it: see ``claims``.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from massmail_plugin.audience.importing.actions import drop_file, log_added
from massmail_plugin.audience.importing.claims import MOST_TRIES, Claim, ClaimLost, Clock
from massmail_plugin.audience.importing.columns import columns_from, read_person, storable
from massmail_plugin.audience.importing.csv_rows import csv_rows
from massmail_plugin.audience.importing.faults import FileFault, RowFault, RowRefused
from massmail_plugin.audience.importing.from_list import carry_batch
from massmail_plugin.audience.importing.giving_up import give_up
from massmail_plugin.audience.importing.matching import find_records
from massmail_plugin.audience.importing.models import ImportBatch, ImportFailure, ListImport
from massmail_plugin.audience.importing.storing import stored_file
from massmail_plugin.audience.importing.xlsx_rows import xlsx_rows
from massmail_plugin.audience.members import add_members
from massmail_plugin.audience.verdicts import opt_outs_from, who_said_no
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.erased import erased_keys
from massmail_plugin.recipients.subscribers import ensure_subscribers

logger = logging.getLogger("massmail_plugin.audience")

#: Rows that are imported in one transaction.
BATCH_ROWS = 2_000
#: Fewer rows, if they are long: a batch has to fit into the memory, and into a database's largest packet.
_BATCH_CHARACTERS = 4_000_000
State = ListImport.State


def work_on(import_id: int, clock: Clock, *, seconds: float, stop: Callable[[], bool]) -> bool:
    """Work on one import for about so long, or until ``stop``. Returns whether there is more to do.

    Returns False too if another worker is at it. Reading the file is one step, which only ``stop`` ends early:
    it may take a minute, and would begin anew.
    """
    claim = Claim(import_id, clock)
    if not claim.take():
        return False
    end = time.monotonic() + seconds
    try:
        if claim.fresh().tries > MOST_TRIES:
            give_up(claim)
            return False
        while not stop() and time.monotonic() < end:
            if not _next_step(claim, stop):
                return False
    except ClaimLost:
        return False
    except _Stopped:
        pass
    except (OperationalError, InterfaceError):
        # Probably the database is away: nothing can be written down. The try counts.
        raise
    except Exception as error:
        logger.exception("The import %s broke off", import_id)
        claim.broke_off(error)
        return False
    claim.release()
    return True


class _Stopped(Exception):
    """The process was told to end."""


def _next_step(claim: Claim, stop: Callable[[], bool]) -> bool:
    """Do a part of the work; returns False at the end of it."""
    what = claim.fresh()
    if what.state == State.READING:
        return _read(what, claim, stop)
    if what.state == State.IMPORTING:
        return _import_batch(what, claim)
    return False


def _read(what: ListImport, claim: Claim, stop: Callable[[], bool]) -> bool:
    """Read the file to its end. Begins anew after a kill: nobody is in the list by then."""
    with transaction.atomic():
        claim.renew(State.READING, rows=0)
        what.batches.all().delete()
    number = 0
    try:
        for batch in _batches(_rows_below_headings(what)):
            if stop():
                raise _Stopped
            number += len(batch)
            with transaction.atomic():
                claim.renew(State.READING, rows=number)
                ImportBatch.objects.create(list_import=what, rows=batch)
        if not number:
            raise FileFault(_("There is nothing below the headings."))
    except FileFault as fault:
        with transaction.atomic():
            claim.end(State.READING, State.FAILED, problem=str(fault), rows=0)
            drop_file(what)
        return False
    with transaction.atomic():
        claim.came_on(State.READING, state=State.IMPORTING)
        what.pieces.all().delete()
    return True


def _batches(rows: Iterator[tuple[int, list[str]]]) -> Iterator[list[list[Any]]]:
    batch: list[list[Any]] = []
    characters = 0
    for line, cells in rows:
        batch.append([line, *storable(cells)])
        characters += sum(map(len, cells))
        if len(batch) == BATCH_ROWS or characters > _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _rows_below_headings(what: ListImport) -> Iterator[tuple[int, list[str]]]:
    file = stored_file(what)
    if what.kind == ListImport.Kind.XLSX:
        rows = xlsx_rows(file, what.sheet)
    else:
        rows = csv_rows(file, what.encoding, what.delimiter)
    if what.has_headings:
        next(rows, None)
    return rows


def _import_batch(what: ListImport, claim: Claim) -> bool:
    batch = what.batches.order_by("pk").first()
    if batch is None:
        with transaction.atomic():
            claim.end(State.IMPORTING, State.DONE)
            log_added(what)
        return False
    if what.is_from_list:
        bring_in: Callable[[], None] = partial(carry_batch, what, batch.rows)
    else:
        bring_in = _Batch(what, batch.rows).bring_in
    with transaction.atomic():
        claim.came_on(State.IMPORTING)
        if not ImportBatch.objects.filter(pk=batch.pk).delete()[0]:
            raise ClaimLost
        bring_in()
    return True


class _Batch:
    """The people of some rows, each address once, and the rows that are nobody."""

    def __init__(self, what: ListImport, rows: list[list[Any]]) -> None:
        self._import = what
        self._rows = rows
        self._people: dict[str, Any] = {}
        self._failures: list[ImportFailure] = []
        self._records: dict[str, tuple[RecipientType, str]] = {}
        columns, width = columns_from(what.columns), len(what.headings)
        for number, *cells in rows:
            try:
                person = read_person(number, cells, columns, width)
            except RowRefused as refused:
                self._failures.append(
                    ImportFailure(
                        list_import=what,
                        number=number,
                        fault=refused.fault,
                        detail=refused.detail,
                        cells=cells,
                    )
                )
            else:
                self._people.setdefault(person.address.key, person)
        self._refuse_erased()
        # Before the transaction: it may take a while, and reads only.
        if what.started_by:
            self._records = find_records(self._people.keys(), what.started_by)

    def _refuse_erased(self) -> None:
        for key in erased_keys(list(self._people)):
            number = self._people.pop(key).number
            self._records.pop(key, None)
            # Without the cells, which would name again who was erased.
            self._failures.append(
                ImportFailure(list_import=self._import, number=number, fault=RowFault.ERASED, cells=[])
            )

    def bring_in(self) -> None:
        """Write everything down; the caller's transaction holds the lock on the import."""
        # Once more: reading the records may have taken a while.
        self._refuse_erased()
        ids, new_subscribers = self._records_by_type()
        added = 0
        found: Counter[str] = Counter()
        for recipient_type, object_ids in ids.items():
            added += add_members(
                self._import.target_list, recipient_type, object_ids, added_by=self._import.started_by
            ).new
            found[recipient_type.key] += len(object_ids)
        ImportFailure.objects.bulk_create(self._failures, batch_size=500)
        mine = ListImport.objects.filter(pk=self._import.pk)
        # The lock makes reading and writing one.
        before = mine.values("found", "not_mailable").get()
        said_no = who_said_no(self._people.keys(), opt_outs_from(self._import.target_list))
        failed = len(self._failures)
        mine.update(
            rows_done=F("rows_done") + len(self._rows),
            added=F("added") + added,
            already=F("already") + len(self._rows) - failed - added,
            failed=F("failed") + failed,
            new_subscribers=F("new_subscribers") + new_subscribers,
            found=dict(Counter(before["found"]) + found),
            not_mailable=dict(Counter(before["not_mailable"]) + Counter(map(str, said_no.values()))),
        )

    def _records_by_type(self) -> tuple[dict[RecipientType, list[str]], int]:
        by_type: dict[RecipientType, list[str]] = {}
        for recipient_type, pk in self._records.values():
            by_type.setdefault(recipient_type, []).append(pk)
        unknown = [person for key, person in self._people.items() if key not in self._records]
        kind, ids, new = ensure_subscribers(unknown)
        if ids:
            by_type.setdefault(kind, []).extend(ids)
        return by_type, new
