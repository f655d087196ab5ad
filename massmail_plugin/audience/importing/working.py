"""The work on an import, by whatever process has the time. It may be killed anywhere, and goes on where it was.

A worker claims an import for some seconds and renews the claim in the transaction of each batch; so one that was
taken for dead and wakes up late changes nothing.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _
from wagtail.log_actions import log

from massmail_plugin.audience.importing.actions import drop_file
from massmail_plugin.audience.importing.columns import columns_from, read_person, storable
from massmail_plugin.audience.importing.csv_rows import csv_rows
from massmail_plugin.audience.importing.faults import FileFault, RowFault, RowRefused
from massmail_plugin.audience.importing.matching import find_records, not_mailable
from massmail_plugin.audience.importing.models import RUNNING, ImportBatch, ImportFailure, ListImport
from massmail_plugin.audience.importing.storing import stored_file
from massmail_plugin.audience.importing.xlsx_rows import xlsx_rows
from massmail_plugin.audience.members import add_members
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.erased import erased_keys
from massmail_plugin.recipients.subscribers import ensure_subscribers

#: Rows that are imported in one transaction.
BATCH_ROWS = 2_000
#: A worker that has been silent for so long is dead. Opening a large workbook may take a minute or two, in silence.
LEASE = timedelta(minutes=5)

Clock = Callable[[], datetime]
State = ListImport.State


class _ClaimLost(Exception):
    """Somebody stopped or deleted the import, or another worker has it."""


def waiting(now: datetime) -> list[int]:
    """Return the imports that have work to do and nobody at it."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return list(
        ListImport.objects.filter(free, state__in=RUNNING).order_by("pk").values_list("pk", flat=True)
    )


def work_on(import_id: int, clock: Clock, *, seconds: float, stop: Callable[[], bool]) -> bool:
    """Work on one import for about so long, or until ``stop``. Returns whether there is more to do.

    Returns False too if another worker is at it. Reading the file is one step, which only ``stop`` ends early:
    it may take a minute, and would begin anew.
    """
    claim = _Claim(import_id, clock)
    if not claim.take():
        return False
    end = time.monotonic() + seconds
    try:
        while not stop() and time.monotonic() < end:
            if not _next_step(claim, stop):
                return False
    except _ClaimLost:
        return False
    except _Stopped:
        pass
    claim.release()
    return True


class _Stopped(Exception):
    """The process was told to end."""


class _Claim:
    """One worker's right to one import."""

    def __init__(self, import_id: int, clock: Clock) -> None:
        self.import_id = import_id
        self._clock = clock
        self._token = uuid.uuid4().hex

    def take(self) -> bool:
        now = self._clock()
        free = Q(claimed_until=None) | Q(claimed_until__lt=now)
        mine = ListImport.objects.filter(free, pk=self.import_id, state__in=RUNNING)
        return bool(mine.update(claim=self._token, claimed_until=now + LEASE))

    def renew(self, expected: State, **fields: Any) -> None:
        """Go on in the state ``expected``, with these new values, and lock the row. Raises ``_ClaimLost``."""
        until = self._clock() + LEASE
        mine = ListImport.objects.filter(pk=self.import_id, claim=self._token, state=expected)
        if not mine.update(**{"claimed_until": until, **fields}):
            raise _ClaimLost

    def release(self) -> None:
        ListImport.objects.filter(pk=self.import_id, claim=self._token).update(claim="", claimed_until=None)

    def fresh(self) -> ListImport:
        found = ListImport.objects.filter(pk=self.import_id, claim=self._token).first()
        if found is None:
            raise _ClaimLost
        return found

    def end(self, now_in: State, state: State, **fields: Any) -> None:
        self.renew(now_in, state=state, finished_at=self._clock(), claim="", claimed_until=None, **fields)


def _next_step(claim: _Claim, stop: Callable[[], bool]) -> bool:
    """Do a part of the work; returns False at the end of it."""
    what = claim.fresh()
    if what.state == State.READING:
        return _read(what, claim, stop)
    if what.state == State.IMPORTING:
        return _import_batch(what, claim)
    return False


def _read(what: ListImport, claim: _Claim, stop: Callable[[], bool]) -> bool:
    """Read the file to its end. Begins anew after a kill: nobody is in the list by then."""
    with transaction.atomic():
        claim.renew(State.READING, rows=0)
        what.batches.all().delete()
    number = 0
    try:
        rows = _rows_below_headings(what)
        while batch := [[line, *storable(cells)] for line, cells in islice(rows, BATCH_ROWS)]:
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
        claim.renew(State.READING, state=State.IMPORTING)
        what.pieces.all().delete()
    return True


def _rows_below_headings(what: ListImport) -> Iterator[tuple[int, list[str]]]:
    file = stored_file(what)
    if what.kind == ListImport.Kind.XLSX:
        rows = xlsx_rows(file, what.sheet)
    else:
        rows = csv_rows(file, what.encoding, what.delimiter)
    if what.has_headings:
        next(rows, None)
    return rows


def _import_batch(what: ListImport, claim: _Claim) -> bool:
    batch = what.batches.order_by("pk").first()
    if batch is None:
        with transaction.atomic():
            claim.end(State.IMPORTING, State.DONE)
            _log(what)
        return False
    read = _Batch(what, batch.rows)
    with transaction.atomic():
        claim.renew(State.IMPORTING)
        if not ImportBatch.objects.filter(pk=batch.pk).delete()[0]:
            raise _ClaimLost
        read.bring_in()
    return True


def _log(what: ListImport) -> None:
    done = ListImport.objects.get(pk=what.pk)
    data = {"type": done.file_name, "number": done.added, "already": done.already}
    log(done.target_list, "massmail.add_members", user=done.started_by, data=data)


class _Batch:
    """The people of some rows, each address once, and the rows that are nobody."""

    def __init__(self, what: ListImport, rows: list[list[Any]]) -> None:
        self._import = what
        self._rows = rows
        self._people: dict[str, Any] = {}
        self._failures: list[ImportFailure] = []
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
        for key in erased_keys(list(self._people)):
            number = self._people.pop(key).number
            # Without the cells, which would name again who was erased.
            self._failures.append(
                ImportFailure(list_import=what, number=number, fault=RowFault.ERASED, cells=[])
            )
        # Before the transaction: it may take a while, and reads only.
        self._records = find_records(self._people.keys(), what.started_by) if what.started_by else {}

    def bring_in(self) -> None:
        """Write everything down; the caller's transaction holds the lock on the import."""
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
        unmailable = not_mailable(self._people.keys(), self._import.target_list.consent_scope.key)
        failed = len(self._failures)
        mine.update(
            rows_done=F("rows_done") + len(self._rows),
            added=F("added") + added,
            already=F("already") + len(self._rows) - failed - added,
            failed=F("failed") + failed,
            new_subscribers=F("new_subscribers") + new_subscribers,
            found=dict(Counter(before["found"]) + found),
            not_mailable=dict(Counter(before["not_mailable"]) + unmailable),
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
