"""Choosing a million people, against a bare INSERT ... SELECT; and the screens that show them, against a thousand."""

from __future__ import annotations

import statistics

from tests.benchmarks.databases import Postgresql, a_folder
from tests.benchmarks.processes import Contestant
from tests.benchmarks.report import Bar, Report

TITLE = "Audience: 1,000,000 people on PostgreSQL"

PEOPLE = 1_000_000
ROUNDS = 3
#: Seconds of a start as a multiple of a bare INSERT ... SELECT; memory at its end against its first quarter; time of a
#: page about everybody against one about a thousand.
ALLOWED, ALLOWED_MEMORY, ALLOWED_SCREEN = 3.0, 1.05, 1.5


def measure(report: Report) -> None:
    with a_folder() as folder:
        database = Postgresql(folder)
        with database.filled(PEOPLE, module="prepare_people"):
            figures = []
            for number in range(1, ROUNDS + 1):
                with database.copy() as environment:
                    figures.append(_freeze(report, number, environment))
            with database.copy() as environment:
                screens = _screens(report, environment)
    ratios = [(one["choosing"] + one["copying"]) / one["bare"] for one in figures]
    growth = [_growth(one["memory"]) for one in figures]
    report.add(
        Bar("a start against a bare INSERT ... SELECT", statistics.median(ratios), ALLOWED, at_most=True)
    )
    report.add(Bar("memory at its end against its first quarter", max(growth), ALLOWED_MEMORY, at_most=True))
    for what, one in screens.items():
        few, many = one["queries"]
        report.say(f"  {what}: {few} queries for a thousand, {many} for all")
        report.add(Bar(f"{what}: queries more or less than for a thousand", abs(many - few), 0, at_most=True))
        report.add(Bar(f"{what} about all against a thousand", one["ratio"], ALLOWED_SCREEN, at_most=True))


def _freeze(report: Report, number: int, environment: dict[str, str]) -> dict:  # type: ignore[type-arg]
    with Contestant("choose", environment=environment) as starting:
        starting.wait_until_ready()
        starting.go()
        one = starting.hear()
    report.say(
        f"  round {number}  choosing {one['choosing']:.1f} s, writing the ledger {one['copying']:.1f} s, bare"
        f" {one['bare']:.1f} s for {one['rows']:,} rows {one['counts']};"
        f" memory {one['memory'][0]:.0f}-{max(one['memory']):.0f} MB"
    )
    return one


def _growth(memory: list[float]) -> float:
    quarter = max(len(memory) // 4, 1)
    return statistics.mean(memory[-quarter:]) / statistics.mean(memory[:quarter])


def _screens(report: Report, environment: dict[str, str]) -> dict[str, dict]:  # type: ignore[type-arg]
    with Contestant("screens", environment=environment) as browsing:
        browsing.wait_until_ready()
        browsing.go()
        screens = browsing.hear()
    for what, one in screens.items():
        few, many = one["seconds"]
        report.say(f"  {what}: {1000 * few:.0f} ms for a thousand, {1000 * many:.0f} ms for all")
        one["ratio"] = many / few
    return screens
