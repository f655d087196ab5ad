"""Personal, tracked mails, with the fence on, against the loop that everybody would write first."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.databases import Database, Postgresql, Sqlite, a_folder
from tests.benchmarks.processes import Contestant, race
from tests.benchmarks.report import Bar, NotMeasured, Rate, Report, in_turns
from tests.benchmarks.sink import Sink

TITLE = "Sending: one worker process against the plain Django loop, mails a second"

ROUNDS = 3
MAILS = 4000
NEEDED = 3.0
#: Mails on their way at a time: connections of an account. Those that wait at the fence together share a commit.
CONNECTIONS = 16

_LOOP = "Django's loop, no database"


def measure(report: Report) -> None:
    with a_folder() as folder:
        databases: list[Database] = []
        for database in (Sqlite(folder), Postgresql(folder)):
            try:
                database.create()
                databases.append(database)
            except NotMeasured as why:
                report.leave_out(f"sending, {database.name}", why)
        _measure_filled(report, databases, [])


def _measure_filled(report: Report, empty: list[Database], filled: list[Database]) -> None:
    if empty:
        with empty[0].filled(MAILS):
            _measure_filled(report, empty[1:], [*filled, empty[0]])
        return
    measures = {_LOOP: _loop}
    for database in filled:
        measures[f"our worker, {database.name}"] = _worker(database, CONNECTIONS)
        # For comparison: an account as it comes, with few connections.
        measures[f"the same, {database.name}, usual account"] = _worker(database, 0)
    medians = in_turns(report, ROUNDS, measures)
    for database in filled:
        ratio = medians[f"our worker, {database.name}"] / medians[_LOOP]
        report.add(Bar(f"our worker against the plain loop, {database.name}", ratio, NEEDED))


def _loop() -> Rate:
    with Sink() as sink, Contestant("stock_loop", sink.port, MAILS) as loop:
        figures = race([loop])
        sink.check(MAILS)
    return Rate.of(figures)


def _worker(database: Database, connections: int) -> Callable[[], Rate]:
    def measured() -> Rate:
        with (
            database.copy() as environment,
            Sink() as sink,
            Contestant("work", sink.port, connections, environment=environment) as worker,
        ):
            figures = race([worker])
            sink.check(MAILS)
        return Rate.of(figures)

    return measured
