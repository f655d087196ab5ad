"""Whoever does the work takes up imports into lists, also those of dead workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from massmail_plugin.audience.importing import working
from massmail_plugin.audience.importing.actions import start, upload
from massmail_plugin.audience.importing.columns import Columns
from massmail_plugin.audience.importing.models import ListImport
from massmail_plugin.delivery import tasks
from massmail_plugin.delivery.running import nudges
from massmail_plugin.delivery.running.foreground import Foreground
from tests.builders import a_target_list, an_administrator


def an_import(people: int = 3) -> ListImport:
    rows = "".join(f"person{n}@example.org\n" for n in range(people))
    found = upload(a_target_list(), "people.csv", [f"Email\n{rows}".encode()], an_administrator())
    start(
        found,
        Columns(address=0),
        ["Email"],
        has_headings=True,
        encoding="utf-8-sig",
        delimiter=",",
        user=found.started_by,
    )
    return found


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(nudges, "_enqueue", lambda *call: calls.append(call))
    return calls


@pytest.mark.django_db(transaction=True)
def test_the_tick_nudges_imports_that_wait_and_leaves_those_alone_that_are_worked_on(
    queued: list[tuple[Any, ...]],
) -> None:
    waiting, busy = an_import(), ListImport.objects.create(target_list=a_target_list(), state="importing")
    ListImport.objects.filter(pk=busy.pk).update(claimed_until=timezone.now() + timedelta(minutes=1))
    tasks.tick()

    assert queued == [("massmail_plugin.delivery.tasks.run_import", waiting.pk)]


@pytest.mark.django_db(transaction=True)
def test_a_task_that_has_used_its_time_asks_for_another_one(
    queued: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(working, "BATCH_ROWS", 1)
    what = an_import()
    settings.MASSMAIL = {**settings.MASSMAIL, "SLICE_SECONDS": 0}
    tasks.run_import(what.pk)
    assert queued == [("massmail_plugin.delivery.tasks.run_import", what.pk)]

    settings.MASSMAIL = {**settings.MASSMAIL, "SLICE_SECONDS": 60}
    tasks.run_import(what.pk)
    what.refresh_from_db()
    assert (what.state, what.added, len(queued)) == ("done", 3, 1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_without_a_cluster_imports_too() -> None:
    what = an_import()
    Foreground(threads=2).run_once(60)

    what.refresh_from_db()
    assert (what.state, what.added) == ("done", 3)


@pytest.mark.django_db(transaction=True)
def test_an_import_that_breaks_does_not_stop_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(working._Batch, "bring_in", broken)
    what = an_import()
    Foreground(threads=2).run_once(60)

    what.refresh_from_db()
    assert (what.state, what.rows_done) == ("importing", 0)
