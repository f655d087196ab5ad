"""Working hours: on paper, over midnight, and in the nights on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from massmail_plugin.accounts.pacing.calendar import EVERY_DAY, BadHours, Calendar, Closed, Span

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY_TO_THURSDAY = frozenset(range(4))
OFFICE = Calendar(BERLIN, MONDAY_TO_THURSDAY, time(8, 30), time(17, 30))

#: Clocks change at 02:00, at midnight, by half an hour, on the day's last hour, never.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
days_of_week = st.frozensets(st.integers(0, 6), min_size=1)


@st.composite
def hours(draw: st.DrawFn) -> tuple[time | None, time | None]:
    minutes = sorted(draw(st.tuples(st.integers(0, 24 * 60 - 1), st.integers(1, 24 * 60))))
    if minutes[0] == minutes[1] or draw(st.booleans()):
        return None, None
    return time(*divmod(minutes[0], 60)), time(*divmod(minutes[1] % (24 * 60), 60))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    holidays = draw(st.frozensets(st.dates(date(2015, 1, 1), date(2035, 1, 1)), max_size=3))
    return Calendar(draw(zones), draw(days_of_week), *draw(hours()), holidays)


def _berlin(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)


@given(calendars(), instants)
def test_it_is_never_open_at_a_wall_time_outside_the_hours(calendar: Calendar, now: datetime) -> None:
    if not calendar.is_open(now):
        return
    wall = now.astimezone(calendar.zone)
    assert wall.weekday() in calendar.days
    assert wall.date() not in calendar.holidays
    assert wall.time() >= (calendar.work_from or time.min)
    if calendar.work_until and calendar.work_until != time.min:
        assert wall.time() < calendar.work_until


@given(calendars(), instants)
def test_it_is_open_at_every_wall_time_in_the_hours_that_comes_once(
    calendar: Calendar, now: datetime
) -> None:
    wall = now.astimezone(calendar.zone)
    start, end = calendar.work_from or time.min, calendar.work_until or time.min
    in_hours = wall.time() >= start and (end == time.min or wall.time() < end)
    works = wall.weekday() in calendar.days and wall.date() not in calendar.holidays
    changes = wall.replace(hour=0, fold=0).utcoffset() != (wall + timedelta(days=1)).utcoffset()
    if in_hours and works and not changes:
        assert calendar.is_open(now)


@given(calendars(), instants)
def test_the_next_opening_is_the_first_moment_of_working_time(calendar: Calendar, now: datetime) -> None:
    opening = calendar.next_opening(now)
    if opening is None:
        assert not any(calendar.is_open(now + timedelta(days=day)) for day in range(300))
        return
    assert opening >= now
    assert calendar.is_open(opening)
    assert calendar.next_opening(opening) == opening
    if opening > now:
        assert not calendar.is_open(now)
        assert not calendar.is_open(opening - timedelta(microseconds=1))
        between = now + (opening - now) / 3
        assert not calendar.is_open(between)


@given(calendars(), instants)
def test_it_stays_open_until_it_closes(calendar: Calendar, now: datetime) -> None:
    closes = calendar.closes_at(now)
    if closes is None:
        assert calendar.is_always_open or not calendar.is_open(now)
        return
    assert closes > now
    assert calendar.is_open(closes - timedelta(microseconds=1))
    assert calendar.is_open(now + (closes - now) / 3)
    assert closes - now > timedelta(days=6) or not calendar.is_open(closes)


@given(calendars(), st.dates(date(2015, 1, 2), date(2035, 1, 1)))
def test_days_do_not_overlap(calendar: Calendar, day: date) -> None:
    before, span = calendar.span_of(day - timedelta(days=1)), calendar.span_of(day)
    if span:
        assert timedelta() < span.closes - span.opens <= timedelta(hours=25)
    if before and span:
        assert before.closes <= span.opens


@given(zones, instants)
@example(ZoneInfo("America/Havana"), datetime(2026, 11, 1, 5, 30, tzinfo=UTC))
@example(ZoneInfo("America/Santiago"), datetime(2026, 4, 5, 3, 30, tzinfo=UTC))
def test_without_hours_no_moment_is_left_out(zone: ZoneInfo, now: datetime) -> None:
    assert Calendar(zone).is_open(now)
    assert Calendar(zone).closes_at(now) is None


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 3, 30), 24)],
)
def test_a_day_has_as_many_hours_as_it_has(day: date, expected: int) -> None:
    span = Calendar(BERLIN).span_of(day)
    assert span
    assert span.closes - span.opens == timedelta(hours=expected)


def test_hours_that_begin_in_the_gap_begin_when_clocks_jump() -> None:
    calendar = Calendar(BERLIN, EVERY_DAY, time(2, 30), time(5, 0))
    assert calendar.span_of(date(2026, 3, 29)) == Span(_berlin(2026, 3, 29, 3, 0), _berlin(2026, 3, 29, 5, 0))


def test_hours_that_lie_in_the_gap_do_not_come() -> None:
    calendar = Calendar(BERLIN, EVERY_DAY, time(2, 10), time(2, 50))
    assert calendar.span_of(date(2026, 3, 29)) is None
    assert calendar.next_opening(_berlin(2026, 3, 29, 1, 0)) == _berlin(2026, 3, 30, 2, 10)


@pytest.mark.parametrize(
    ("start", "end", "opens", "closes"),
    [
        # What comes twice opens the second time, closes the first time...
        (time(2, 30), time(6), _berlin(2026, 10, 25, 2, 30, fold=1), _berlin(2026, 10, 25, 6)),
        (time(1), time(2, 30), _berlin(2026, 10, 25, 1), _berlin(2026, 10, 25, 2, 30)),
        # ... and if both lie in that hour, they are those of the second.
        (
            time(2, 15),
            time(2, 45),
            _berlin(2026, 10, 25, 2, 15, fold=1),
            _berlin(2026, 10, 25, 2, 45, fold=1),
        ),
    ],
)
def test_the_hour_that_comes_twice(start: time, end: time, opens: datetime, closes: datetime) -> None:
    assert Calendar(BERLIN, EVERY_DAY, start, end).span_of(date(2026, 10, 25)) == Span(opens, closes)


def test_a_date_that_a_zone_left_out_has_no_working_time() -> None:
    assert Calendar(ZoneInfo("Pacific/Apia")).span_of(date(2011, 12, 30)) is None


def test_after_thursdays_close_it_opens_on_monday() -> None:
    thursday, monday = _berlin(2026, 11, 26, 17, 30), _berlin(2026, 11, 30, 8, 30)
    assert OFFICE.closes_at(thursday - timedelta(seconds=1)) == thursday
    assert not OFFICE.is_open(thursday)
    assert OFFICE.next_opening(thursday) == monday
    assert OFFICE.next_opening(_berlin(2026, 11, 27, 12, 0)) == monday


def test_after_the_weekend_on_which_clocks_change_it_opens_at_the_same_wall_time() -> None:
    before, after = _berlin(2026, 10, 22, 8, 30), _berlin(2026, 10, 26, 8, 30)
    assert OFFICE.next_opening(_berlin(2026, 10, 22, 20, 0)) == after
    assert after - before == timedelta(days=4, hours=1)


def test_it_says_why_it_is_closed() -> None:
    calendar = Calendar(
        BERLIN, MONDAY_TO_THURSDAY, time(8, 30), time(17, 30), frozenset({date(2026, 11, 25)})
    )
    assert calendar.why_closed(_berlin(2026, 11, 24, 20, 0)) is Closed.HOURS
    assert calendar.why_closed(_berlin(2026, 11, 25, 12, 0)) is Closed.HOLIDAY
    assert calendar.why_closed(_berlin(2026, 11, 27, 12, 0)) is Closed.DAY_OFF
    assert calendar.next_opening(_berlin(2026, 11, 24, 17, 30)) == _berlin(2026, 11, 26, 8, 30)


def test_whole_days_run_into_each_other() -> None:
    calendar = Calendar(BERLIN, MONDAY_TO_THURSDAY)
    assert calendar.closes_at(_berlin(2026, 11, 23, 12, 0)) == _berlin(2026, 11, 27, 0, 0)


def test_nothing_but_holidays_never_opens() -> None:
    start = date(2026, 11, 22)
    calendar = Calendar(BERLIN, holidays=frozenset(start + timedelta(days=day) for day in range(600)))
    assert calendar.next_opening(_berlin(2026, 11, 22, 12, 0)) is None


@pytest.mark.parametrize(
    ("start", "end"),
    [(time(22), time(6)), (time(9), time(9)), (time(9), None), (None, time(9))],
)
def test_hours_over_midnight_or_with_one_end_are_refused(start: time | None, end: time | None) -> None:
    with pytest.raises(BadHours):
        Calendar(BERLIN, EVERY_DAY, start, end)


def test_midnight_ends_the_day() -> None:
    calendar = Calendar(BERLIN, MONDAY_TO_THURSDAY, time(18), time(0))
    assert calendar.closes_at(_berlin(2026, 11, 23, 23, 59)) == _berlin(2026, 11, 24, 0, 0)
    assert not calendar.is_open(_berlin(2026, 11, 24, 0, 0))
