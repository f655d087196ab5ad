"""Working hours: on which days, from when until when, in which time zone.

Everything that leaves here is an instant in UTC, so that durations are true on days of 23 and 25 hours. No mail leaves
at a wall time outside the hours: a clock time that comes twice in autumn opens the second time that it comes and closes
the first time; one that is left out in spring means the moment of the jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum

from django.utils.translation import gettext as _

MIDNIGHT = time(0, 0)
DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))

#: How far ahead an opening is looked for. Longer than any row of holidays that somebody means.
_HORIZON_DAYS = 400


class Closed(Enum):
    """Why an account is not working at some moment."""

    HOURS = "hours"
    DAY_OFF = "day off"
    HOLIDAY = "holiday"


class BadHours(ValueError):
    """Working hours that make no sense; ``str()`` says why, for people."""


@dataclass(frozen=True, slots=True)
class Span:
    """The working time of one day; ``closes`` is the first instant outside of it. Both in UTC."""

    opens: datetime
    closes: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.opens <= moment < self.closes


@dataclass(frozen=True, slots=True)
class Calendar:
    """``days`` are numbers, Monday 0. Without hours a working day lasts from midnight to midnight."""

    zone: tzinfo = UTC
    days: frozenset[int] = EVERY_DAY
    work_from: time | None = None
    #: 00:00 is the midnight at the end of the day.
    work_until: time | None = None
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        check_hours(self.work_from, self.work_until)

    @property
    def is_always_open(self) -> bool:
        all_day = self.work_from in (None, MIDNIGHT) and self.work_until in (None, MIDNIGHT)
        return self.days == EVERY_DAY and all_day and not self.holidays

    def span_of(self, day: date) -> Span | None:
        """Return the working time of this local date, or None if there is none."""
        if day.weekday() not in self.days or day in self.holidays:
            return None
        start, end = self.work_from or MIDNIGHT, self.work_until or MIDNIGHT
        # A date begins and ends when its midnight comes for the first time, or an hour would belong to no date.
        opens = self._first(day, start) if start == MIDNIGHT else self._last(day, start)
        closes = self._first(day + DAY, MIDNIGHT) if end == MIDNIGHT else self._first(day, end)
        if closes <= opens and end != MIDNIGHT:
            closes = self._last(day, end)
        return Span(opens, closes) if opens < closes else None

    def span_at(self, now: datetime) -> Span | None:
        """Return the working time that ``now`` lies in, or None outside of working hours."""
        today = self._local_date(now)
        for day in (today, today + DAY):
            span = self.span_of(day)
            if span and now in span:
                return span
        return None

    def is_open(self, now: datetime) -> bool:
        return self.span_at(now) is not None

    def next_opening(self, now: datetime) -> datetime | None:
        """Return ``now`` if it is open, otherwise when it opens next; None if it never does."""
        if self.is_open(now):
            return now
        today = self._local_date(now)
        for ahead in range(_HORIZON_DAYS):
            span = self.span_of(today + ahead * DAY)
            if span and span.opens > now:
                return span.opens
        return None

    def closes_at(self, now: datetime) -> datetime | None:
        """Return until when it stays open without a break; None if it never closes, or is closed.

        Working days of 24 hours run into each other; a week ahead is as good as never.
        """
        span = self.span_at(now)
        if span is None or self.is_always_open:
            return None
        end = span.closes
        for _day in range(7):
            following = self.span_at(end)
            if following is None:
                break
            end = following.closes
        return end

    def why_closed(self, now: datetime) -> Closed:
        """Return why it is closed at ``now``."""
        today = self._local_date(now)
        if today.weekday() not in self.days:
            return Closed.DAY_OFF
        return Closed.HOLIDAY if today in self.holidays else Closed.HOURS

    def _local_date(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def _first(self, day: date, clock: time) -> datetime:
        return _readings(datetime.combine(day, clock), self.zone)[0]

    def _last(self, day: date, clock: time) -> datetime:
        return _readings(datetime.combine(day, clock), self.zone)[1]


def check_hours(work_from: time | None, work_until: time | None) -> None:
    """Raise :class:`BadHours` unless these are the working hours of one day, or none at all."""
    if (work_from is None) != (work_until is None):
        raise BadHours(_("Enter both times, or leave both empty for the whole day."))
    if work_from is None or work_until is None or work_until == MIDNIGHT:
        return
    if work_until <= work_from:
        raise BadHours(
            _(
                "Working hours end later than they begin, on the same day. "
                "For hours that last until midnight enter 00:00 as the end."
            )
        )


def _readings(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first and the last instant (UTC) at which clocks in ``zone`` show ``wall``.

    They are one and the same but for an hour in autumn. A time that clocks leave out in spring (PEP 495: the
    reading with fold 0 is then the later one) is the moment of the jump.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:
        return first, second
    jump = _offset_change(second, first, zone)
    return jump, jump


def _offset_change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first whole second after ``before`` at which the offset of ``zone`` is that of ``after``."""
    new = after.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == new:
            high = middle
        else:
            low = middle
    return before + timedelta(seconds=high)
