"""Workers that claim, hand over and die as they like, on a clock and a ledger of the test's own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from massmail_plugin.accounts.pacing.ration import Ration, Share, Used, decide
from massmail_plugin.accounts.pacing.windows import Tally

LEASE = timedelta(minutes=15)


@dataclass
class Book:
    """The marks of one account: of mails that have left, in order, and of those in flight: the ends of their leases."""

    left: list[datetime] = field(default_factory=list)
    in_flight: list[datetime] = field(default_factory=list)
    #: The other accounts of the site.
    others: list[Book] = field(default_factory=list)

    @property
    def marks(self) -> list[datetime]:
        return sorted([*self.left, *self.in_flight]) if self.in_flight else self.left

    def used(self, ration: Ration, now: datetime) -> Used:
        """Count as the ledger does: marks later than the begin of each window."""
        marks = self.marks
        everybodys = (
            sorted(mark for book in (self, *self.others) for mark in book.marks) if self.others else marks
        )
        windows = ration.windows(now)
        return Used(
            minute=_tally(marks, windows.minute),
            hour=_tally(marks, windows.hour),
            day=_tally(marks, windows.day),
            today=_tally(marks, windows.today).number if windows.today else 0,
            step=_tally(marks, windows.step).number if windows.step else 0,
            newest=marks[-1] if marks else None,
            system=_tally(everybodys, windows.hour),
        )

    def ask(self, ration: Ration, now: datetime, wanted: int) -> Share:
        return decide(ration, now, self.used(ration, now), wanted)

    def claim(self, ration: Ration, now: datetime, wanted: int) -> Share:
        share = self.ask(ration, now, wanted)
        lease = min(now + LEASE, share.until) if share.until else now + LEASE
        self.in_flight += [lease] * share.count
        return share

    def fence(self, now: datetime) -> None:
        """Hand over the mail claimed first; if its lease is over it is given back."""
        if self.in_flight and self.in_flight.pop(0) > now:
            self.left.append(now)

    def give_back(self) -> None:
        """A worker has died, and its leases have been swept."""
        self.in_flight.clear()


def _tally(marks: list[datetime], since: datetime) -> Tally:
    first = bisect_right(marks, since)
    return Tally(len(marks) - first, marks[first] if first < len(marks) else None)


def work_at_once(ration: Ration, moments: Iterable[datetime], wanted: int = 10_000) -> list[datetime]:
    """Ask at each of these moments, with always enough to do; what is allowed leaves at once. Return the marks."""
    book = Book()
    for now in moments:
        book.left += [now] * book.ask(ration, now, wanted).count
    return book.left


def every(seconds: float, start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments from ``start`` to before ``end``, ``seconds`` apart."""
    now = start
    while now < end:
        yield now
        now += timedelta(seconds=seconds)


def most_in_a_window(marks: Iterable[datetime], window: timedelta) -> int:
    """Return how many marks the fullest half-open window of this length holds."""
    marks = sorted(marks)
    return max(
        (number + 1 - bisect_right(marks, mark - window) for number, mark in enumerate(marks)), default=0
    )
