"""Evenly means evenly: over a whole day, over what is left of it, and over days of 23 and 25 hours."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.accounts.pacing.calendar import EVERY_DAY, Calendar
from massmail_plugin.accounts.pacing.ration import Ration
from massmail_plugin.accounts.pacing.spreading import STEP, TICK, Spacing
from massmail_plugin.accounts.pacing.why import Why
from tests.unit.accounts.pacing.workers import Book, every, most_in_a_window, work_at_once

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Calendar(BERLIN, frozenset(range(4)), time(8, 30), time(17, 30))
#: 08:30 in Berlin.
OPENING = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
CLOSING = OPENING + timedelta(hours=9)


def _uneven(marks: list[datetime], quota: int, start: datetime, end: datetime) -> float:
    """Return by how many mails the marks are ahead of or behind an even flow at most."""
    per_second = quota / (end - start).total_seconds()
    return max(
        abs(number + 0.5 - per_second * (mark - start).total_seconds()) for number, mark in enumerate(marks)
    )


def test_a_days_mails_leave_evenly_in_each_hour() -> None:
    """Ninety-four a day are ten or eleven an hour, and not all gone by ten o'clock."""
    marks = work_at_once(
        Ration(1, per_day=94, spread_evenly=True, calendar=OFFICE), every(60, OPENING, CLOSING)
    )
    by_hour = Counter((mark - OPENING) // timedelta(hours=1) for mark in marks)
    assert len(marks) == 94
    assert set(by_hour) == set(range(9))
    assert set(by_hour.values()) <= {10, 11}


@settings(max_examples=40, deadline=None)
@given(
    quota=st.integers(1, 3000),
    tick=st.floats(20, 60),
    late=st.floats(0, 8.9),
    account=st.integers(1, 10_000),
)
def test_whenever_it_begins_the_whole_quota_leaves_evenly_over_the_rest_of_the_day(
    quota: int, tick: float, late: float, account: int
) -> None:
    start = OPENING + timedelta(hours=late)
    ration = Ration(account, per_day=quota, spread_evenly=True, calendar=OFFICE)
    marks = work_at_once(ration, every(tick, start, CLOSING))
    assert len(marks) == quota
    a_step = quota * (STEP + TICK) / max(CLOSING - start, STEP + TICK)
    assert _uneven(marks, quota, start, CLOSING) <= a_step + 2.5


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 23)])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Asia/Kathmandu"])
def test_days_of_any_length_are_used_evenly_to_their_end(zone: str, day: date) -> None:
    calendar = Calendar(ZoneInfo(zone))
    span = calendar.span_of(day)
    assert span
    marks = work_at_once(
        Ration(1, per_day=300, spread_evenly=True, calendar=calendar), every(60, span.opens, span.closes)
    )
    # A day of 25 hours is longer than the window of 24 that nothing may exceed.
    assert len(marks) == 300
    assert _uneven(marks, 300, span.opens, span.closes) < 4


@settings(max_examples=40, deadline=None)
@given(per_hour=st.integers(1, 600), tick=st.floats(20, 60), account=st.integers(1, 10_000))
def test_an_hours_mails_leave_evenly_over_the_hour(per_hour: int, tick: float, account: int) -> None:
    ration = Ration(account, per_hour=per_hour, spread_evenly=True, calendar=OFFICE)
    marks = work_at_once(ration, every(tick, OPENING, OPENING + timedelta(hours=4)))
    assert most_in_a_window(marks, timedelta(hours=1)) <= per_hour
    # Steps and sliding windows do not quite fit together: a hundredth may be lost to that.
    assert 0.99 * 4 * per_hour - 8 <= len(marks) <= 4 * per_hour + 1
    assert most_in_a_window(marks, timedelta(minutes=10)) <= per_hour / 6 + 2 * per_hour / 60 + 3


def test_a_pause_of_demand_is_not_made_up_for_within_an_hour() -> None:
    ration = Ration(1, per_hour=120, spread_evenly=True)
    marks = work_at_once(ration, every(60, OPENING + timedelta(minutes=50), OPENING + timedelta(hours=1)))
    assert 18 <= len(marks) <= 24


def test_both_limits_are_spread() -> None:
    """The day's even flow would use up each hour's limit in its first minutes."""
    ration = Ration(1, per_day=900, per_hour=50, spread_evenly=True, calendar=OFFICE)
    marks = work_at_once(ration, every(60, OPENING, CLOSING))
    assert most_in_a_window(marks, timedelta(minutes=10)) <= 12
    assert 9 * 48 <= len(marks) <= 9 * 50


def test_day_after_day_at_most_a_mail_is_lost_to_the_sliding_window() -> None:
    calendar = Calendar(BERLIN, EVERY_DAY, time(8, 30), time(17, 30))
    ration = Ration(1, per_day=94, spread_evenly=True, calendar=calendar)
    marks = work_at_once(ration, every(61.7, OPENING, OPENING + timedelta(days=12)))
    by_day = Counter(mark.date() for mark in marks)
    assert len(by_day) == 12
    assert all(number >= 93 for number in by_day.values())
    assert most_in_a_window(marks, timedelta(days=1)) <= 94


def test_while_it_is_spread_it_says_so_and_when_to_ask_again() -> None:
    ration = Ration(1, per_day=18, spread_evenly=True, calendar=OFFICE)
    book = Book(left=[OPENING])
    share = book.ask(ration, OPENING + timedelta(minutes=1), 5)
    assert (share.count, share.why) == (0, Why.SPREADING)
    assert share.next_at
    assert OPENING + timedelta(minutes=1) < share.next_at <= OPENING + STEP


def test_nothing_to_spread_holds_nothing_back() -> None:
    assert Book().ask(Ration(1, spread_evenly=True), OPENING, 500).count == 500


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 40),
    st.integers(1, 40),
    st.floats(1, 20),
    st.integers(1, 10_000),
)
def test_between_two_mails_lies_the_gap_that_was_drawn(
    least: int, more: int, tick: float, account: int
) -> None:
    spacing = Spacing(least, least + more)
    ration = Ration(account, spacing=spacing)
    marks = work_at_once(ration, every(tick, OPENING, OPENING + timedelta(minutes=20)))
    for mark, following in pairwise(marks):
        gap = (following - mark).total_seconds()
        drawn = spacing.gap_after(account, mark).total_seconds()
        assert least <= drawn <= least + more
        assert drawn <= gap <= drawn + tick + 0.001


def test_gaps_are_not_all_alike_and_the_same_for_all_workers() -> None:
    spacing = Spacing(15, 35)
    moments = [OPENING + timedelta(seconds=second) for second in range(100)]
    gaps = [spacing.gap_after(1, moment).total_seconds() for moment in moments]
    assert len(set(gaps)) == 100
    assert 22 < sum(gaps) / 100 < 28
    assert gaps == [spacing.gap_after(1, moment.astimezone(BERLIN)).total_seconds() for moment in moments]


def test_while_a_mail_is_on_its_way_no_gap_has_begun() -> None:
    ration = Ration(1, spacing=Spacing(15, 35))
    book = Book()
    assert book.claim(ration, OPENING, 20).count == 1
    share = book.claim(ration, OPENING + timedelta(minutes=5), 20)
    assert (share.count, share.why) == (0, Why.SPACING)
    book.fence(OPENING + timedelta(minutes=5))
    assert book.claim(ration, OPENING + timedelta(minutes=5, seconds=36), 20).count == 1
