"""A server far away: it answers each verb after 20 ms. Connections and workers are what counts there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from tests.benchmarks.databases import Database, Postgresql, Sqlite, a_folder
from tests.benchmarks.processes import Contestant, race
from tests.benchmarks.report import Bar, NotMeasured, Rate, Report, in_turns

TITLE = "Latency: a server that answers each verb after 20 ms, mails a second"

ROUNDS = 3
MILLISECONDS = 20
#: Each measurement takes so long, and there are more mails than it can send.
SECONDS = 6
MAILS = 3000
NEEDED_CONNECTIONS, NEEDED_WORKERS = 6.0, 1.7

_ONE, _EIGHT, _TWO = "1 connection", "8 connections", "two workers, 8 connections each"


def measure(report: Report) -> None:
    for kind in (Sqlite, Postgresql):
        try:
            with a_folder() as folder:
                database = kind(folder)
                with database.filled(MAILS):
                    _measure(report, database)
        except NotMeasured as why:
            report.leave_out(f"latency, {kind.name}", why)


def _measure(report: Report, database: Database) -> None:
    report.say(f"  {database.name}")
    rates: dict[str, Callable[[], Rate]] = {
        _ONE: _rate(database, workers=1, connections=1),
        _EIGHT: _rate(database, workers=1, connections=8),
        _TWO: _rate(database, workers=2, connections=8),
    }
    medians = in_turns(report, ROUNDS, rates)
    report.add(
        Bar(f"8 connections against 1, {database.name}", medians[_EIGHT] / medians[_ONE], NEEDED_CONNECTIONS)
    )
    report.add(
        Bar(f"two workers against one, {database.name}", medians[_TWO] / medians[_EIGHT], NEEDED_WORKERS)
    )


def _rate(database: Database, *, workers: int, connections: int) -> Callable[[], Rate]:
    def measured() -> Rate:
        with ExitStack() as stack:
            environment = stack.enter_context(database.copy())
            server = stack.enter_context(Contestant("slow_server", MILLISECONDS))
            port = server.hear()["port"]
            crew = [
                stack.enter_context(Contestant("work", port, connections, SECONDS, environment=environment))
                for _number in range(workers)
            ]
            figures = race(crew)
            handled = sum(one["mails"] for one in figures)
            server.wait_until_ready()
            server.go()
            taken = server.hear()["mails"]
        if taken != handled:
            raise RuntimeError(f"The server has taken {taken} mails, not {handled}.")
        return Rate.of(figures)

    return measured
