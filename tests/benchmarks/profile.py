"""Where the time of a mail goes: one worker, and what it is at."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.databases import Database, Postgresql, Sqlite, a_folder
from tests.benchmarks.processes import Contestant, race
from tests.benchmarks.report import NotMeasured, Rate, Report
from tests.benchmarks.sending import CONNECTIONS
from tests.benchmarks.sink import Sink

TITLE = "Profile: where the time of a mail goes"

MAILS = 12_000
#: Modules that are named; the others are counted together.
_NAMED = 14


def measure(report: Report) -> None:
    with a_folder() as folder:
        for database in (Sqlite(folder), Postgresql(folder)):
            try:
                _profile(report, database)
            except NotMeasured as why:
                report.leave_out(f"profile, {database.name}", why)


def _profile(report: Report, database: Database) -> None:
    with (
        database.filled(MAILS),
        database.copy() as environment,
        Sink() as sink,
        Contestant(
            "work", sink.port, CONNECTIONS, environment=environment | {"MASSMAIL_BENCH_PROFILE": "1"}
        ) as worker,
    ):
        [figures] = race([worker])
        sink.check(MAILS)
    rate = Rate.of([figures])
    waited = 1000 / rate.mails_a_second - rate.cpu
    report.say(
        f"  {database.name}: {1000 / rate.mails_a_second:.3f} ms a mail: {rate.cpu:.3f} ms of the worker's processor"
        f" time, {max(waited, 0):.3f} ms of waiting"
    )
    _say_places(report, figures["places"], rate.cpu)


def _say_places(report: Report, places: Mapping[str, int], cpu: float) -> None:
    looks = sum(places.values())
    ranked = sorted(places.items(), key=lambda item: -item[1])
    rest = sum(number for _place, number in ranked[_NAMED:])
    for place, number in [*ranked[:_NAMED], *([("everything else", rest)] if rest else [])]:
        report.say(f"    {number / looks:>6.1%}  {cpu * number / looks:.3f} ms  {place}")
    report.say(f"    ({looks:,} looks)\n")
