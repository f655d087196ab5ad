"""Uploading a file for a list, starting its import, and stopping it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from wagtail.log_actions import log

from massmail_plugin.audience.importing import formats
from massmail_plugin.audience.importing.columns import Columns, storable
from massmail_plugin.audience.importing.csv_rows import csv_rows
from massmail_plugin.audience.importing.faults import FileFault
from massmail_plugin.audience.importing.models import RUNNING, ImportFailure, ListImport
from massmail_plugin.audience.importing.storing import store, stored_file
from massmail_plugin.audience.importing.xlsx_rows import xlsx_samples
from massmail_plugin.audience.models import TargetListPage

#: Rows that people are shown before they start.
SAMPLE_ROWS = 11
#: Characters of a cell that they are shown.
_SHOWN = 80
#: After this nobody comes back to an upload, and failed rows are forgotten: they are people's data.
_FORGET_UPLOADS, _FORGET_FAILURES = timedelta(days=1), timedelta(days=30)

State = ListImport.State


def upload(target_list: TargetListPage, name: str, chunks: Iterable[bytes], user: Any) -> ListImport:
    """Keep a file for ``target_list``. Raises :class:`FileFault` if it is none that can be imported."""
    chunks = iter(chunks)
    first = list(_at_least(chunks, formats.HEAD_BYTES))
    head = b"".join(first)[: formats.HEAD_BYTES]
    kind = formats.recognise(head)
    watch = formats.Utf8Watch()
    uploaded = ListImport(target_list=target_list, file_name=name[-255:], kind=kind, started_by=user)
    with transaction.atomic():
        uploaded.save()
        store(uploaded, _watched(chain(first, chunks), watch))
        if kind == ListImport.Kind.CSV:
            uploaded.encoding = formats.guess_encoding(head, is_utf8=watch.holds)
            uploaded.delimiter = formats.guess_delimiter(head, uploaded.encoding)
            uploaded.save()
    if kind == ListImport.Kind.XLSX:
        # Not in the transaction: on SQLite nobody else could write while the workbook is opened.
        _look_into(uploaded)
    return uploaded


def _look_into(workbook: ListImport) -> None:
    """Keep the first rows of its sheets; of a workbook that cannot be read, nothing is kept."""
    try:
        samples = xlsx_samples(stored_file(workbook), SAMPLE_ROWS)
    except FileFault:
        workbook.delete()
        raise
    workbook.samples = {sheet: [_cut(row) for row in rows] for sheet, rows in samples.items()}
    workbook.sheet = next(iter(samples))
    workbook.save()


def _at_least(chunks: Iterable[bytes], size: int) -> Iterable[bytes]:
    for chunk in chunks:
        yield chunk
        size -= len(chunk)
        if size <= 0:
            return


def _watched(chunks: Iterable[bytes], watch: formats.Utf8Watch) -> Iterable[bytes]:
    for chunk in chunks:
        watch.see(chunk)
        yield chunk
    watch.see(b"", final=True)


def sample(of: ListImport, encoding: str, delimiter: str, sheet: str) -> list[list[str]]:
    """Return the first rows of an upload, read in this way, as people are shown them. Raises :class:`FileFault`."""
    if of.kind == ListImport.Kind.XLSX:
        return list(of.samples.get(sheet, []))
    rows = [cells for _number, cells in islice(csv_rows(stored_file(of), encoding, delimiter), SAMPLE_ROWS)]
    if not rows:
        raise FileFault(_("The file is empty."))
    return [_cut(row) for row in rows]


def _cut(cells: list[str]) -> list[str]:
    return [cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}…" for cell in storable(cells)]


def start(
    what: ListImport,
    columns: Columns,
    headings: list[str],
    *,
    has_headings: bool,
    encoding: str = "",
    delimiter: str = "",
    sheet: str = "",
    user: Any,
) -> bool:
    """Let the workers import it; returns False if somebody has started it already."""
    return _move(
        what,
        (State.UPLOADED,),
        State.READING,
        columns=columns.as_json(),
        headings=headings,
        has_headings=has_headings,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        started_by=user,
        # Shown no more: nothing of people's data is kept that is not needed.
        samples={},
    )


def stop(what: ListImport) -> bool:
    """Add nobody any more; returns False if it had ended already. Who is in the list by now stays."""
    with transaction.atomic():
        stopped = _move(what, (State.UPLOADED, *RUNNING), State.STOPPED, finished_at=timezone.now())
        if stopped:
            drop_file(what)
            log_added(what)
    return stopped


def _move(what: ListImport, sources: Iterable[str], to: State, **fields: Any) -> bool:
    moved = ListImport.objects.filter(pk=what.pk, state__in=list(sources)).update(state=to, **fields)
    return bool(moved)


def drop_file(what: ListImport) -> None:
    """Forget the file and the rows that wait; its failures stay."""
    what.pieces.all().delete()
    what.batches.all().delete()


def log_added(what: ListImport) -> None:
    """Write into the history of its list how many it has added, and of the one that they have left how many."""
    done = ListImport.objects.get(pk=what.pk)
    if not done.rows_done:
        return
    came_from = f"“{done.file_name}”" if done.is_from_list else done.file_name
    data = {"type": came_from, "number": done.added, "already": done.already}
    log(done.target_list, "massmail.add_members", user=done.started_by, data=data)
    if done.moving and done.source is not None:
        left = {"number": done.added + done.already}
        log(done.source, "massmail.remove_members", user=done.started_by, data=left)


def forget_old(now: datetime) -> None:
    """Delete uploads that nobody has started, and the rows that failed long ago."""
    old = ListImport.objects.filter(state=State.UPLOADED, created_at__lt=now - _FORGET_UPLOADS)
    # Both with an index each minute: an empty answer is the rule.
    if old.exists():
        old.delete()
    long_ago = ListImport.objects.filter(finished_at__lt=now - _FORGET_FAILURES)
    failures = ImportFailure.objects.filter(list_import__in=long_ago)
    if failures.exists():
        failures.delete()
