"""What the benchmarks say, and whether the bars are met."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class NotMeasured(Exception):
    """This machine lacks what a benchmark needs; the text says what, and how to get it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One ratio and what it has to be."""

    what: str
    measured: float
    #: The least it may be, or with ``at_most`` the most.
    needed: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.measured <= self.needed if self.at_most else self.measured >= self.needed

    def __str__(self) -> str:
        relation = "at most" if self.at_most else "at least"
        answer = "met   " if self.is_met else "MISSED"
        return f"{answer}  {self.what}: {self.measured:.2f}, needed: {relation} {self.needed:g}"


@dataclass(frozen=True, slots=True)
class Rate:
    """What one measurement found."""

    mails_a_second: float
    #: Milliseconds of processor time that the senders used for a mail, without database and mail server.
    cpu: float

    def __str__(self) -> str:
        return f"{self.mails_a_second:>8,.1f} mails/s  {self.cpu:6.2f} ms CPU each"

    @classmethod
    def of(cls, figures: Sequence[Mapping[str, Any]]) -> Rate:
        """Work it out from what senders of one race have told."""
        mails = sum(one["mails"] for one in figures)
        seconds = max(one["ended"] for one in figures) - min(one["began"] for one in figures)
        return cls(mails / seconds, 1000 * sum(one["cpu"] for one in figures) / max(mails, 1))


@dataclass(slots=True)
class Report:
    bars: list[Bar] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def add(self, bar: Bar) -> None:
        self.bars.append(bar)
        self.say(f"{bar}\n")

    def leave_out(self, what: str, why: object) -> None:
        self.not_measured.append(f"{what}: {why}")
        self.say(f"NOT MEASURED  {what}: {why}\n")


def in_turns(report: Report, rounds: int, measures: Mapping[str, Callable[[], Rate]]) -> dict[str, float]:
    """Return the median rate of each measure, taken one after the other in each round.

    So that what slows the machine down for a while slows all of them down.
    """
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(1, rounds + 1):
        for name, measure in measures.items():
            rate = measure()
            taken[name].append(rate.mails_a_second)
            report.say(f"  round {number}  {name:<38} {rate}")
    for name, rates in taken.items():
        report.say(
            f"  median   {name:<38} {statistics.median(rates):>8,.1f} mails/s  [{min(rates):,.1f}-{max(rates):,.1f}]"
        )
    return {name: statistics.median(rates) for name, rates in taken.items()}
