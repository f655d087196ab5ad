"""Limits, hours and the server's wishes together: what may leave now, or why nothing does and when it will."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.accounts.pacing.calendar import Calendar
from massmail_plugin.accounts.pacing.ration import Ration, Used, decide
from massmail_plugin.accounts.pacing.slowdown import Slowdown
from massmail_plugin.accounts.pacing.spreading import Spacing
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.accounts.pacing.windows import DAY, HOUR, MINUTE, Tally
from tests.unit.accounts.pacing.test_calendar import calendars, instants
from tests.unit.accounts.pacing.workers import Book, most_in_a_window

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Calendar(BERLIN, frozenset(range(4)), time(8, 30), time(17, 30), frozenset({date(2026, 12, 24)}))
limits = st.none() | st.integers(1, 9)


def _berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN).astimezone(UTC)


@settings(max_examples=100, deadline=None)
@given(
    calendars(),
    instants,
    st.tuples(limits, limits, limits),
    st.booleans(),
    st.sampled_from([Spacing(), Spacing(5, 90)]),
    st.data(),
)
def test_workers_that_do_as_told_break_no_rule(
    calendar: Calendar,
    start: datetime,
    numbers: tuple[int | None, int | None, int | None],
    evenly: bool,
    spacing: Spacing,
    data: st.DataObject,
) -> None:
    """Any zone, hours, limits; workers claim, are slow, die: nothing leaves outside of the hours or over a limit."""
    ration = Ration(7, *numbers, spread_evenly=evenly, spacing=spacing, calendar=calendar)
    book, now = Book(), start
    for _ in range(40):
        share = book.claim(ration, now, data.draw(st.integers(1, 5)))
        if share.until:
            assert calendar.is_open(now)
            assert not calendar.is_open(share.until) or share.until - now > timedelta(days=6)
        for _ in range(data.draw(st.integers(0, 6))):
            book.fence(now)
            now += timedelta(seconds=data.draw(st.sampled_from([0, 1, 30, 600, 1800])))
        if data.draw(st.booleans()):
            book.give_back()
        if share.next_at and data.draw(st.booleans()):
            now = max(now, share.next_at)
        now += timedelta(seconds=data.draw(st.sampled_from([0, 1, 60, 3600, 40_000])))
    assert all(calendar.is_open(mark) for mark in book.left)
    for limit, window in zip(numbers, (MINUTE, HOUR, DAY), strict=True):
        assert limit is None or most_in_a_window(book.left, window) <= limit


@given(calendars(), instants, st.tuples(limits, limits, limits))
def test_when_to_ask_again_lies_in_working_time(
    calendar: Calendar, now: datetime, numbers: tuple[int | None, int | None, int | None]
) -> None:
    full = Used(*[Tally(9, now - timedelta(seconds=30))] * 3, today=9)
    share = decide(Ration(1, *numbers, calendar=calendar), now, full, 3)
    assert share.count in (0, 3)
    if not share.count and share.next_at:
        assert share.next_at > now
        assert calendar.is_open(share.next_at)


def test_outside_of_working_hours_it_says_when_they_begin() -> None:
    ration = Ration(1, calendar=OFFICE)
    evening = decide(ration, _berlin(2026, 11, 24, 18, 0), Used(), 5)
    assert (evening.count, evening.why) == (0, Why.HOURS)
    assert evening.next_at == _berlin(2026, 11, 25, 8, 30)
    friday = decide(ration, _berlin(2026, 11, 27, 12, 0), Used(), 5)
    assert (friday.why, friday.next_at) == (Why.DAY_OFF, _berlin(2026, 11, 30, 8, 30))
    christmas_eve = decide(ration, _berlin(2026, 12, 24, 12, 0), Used(), 5)
    assert (christmas_eve.why, christmas_eve.next_at) == (Why.HOLIDAY, _berlin(2026, 12, 28, 8, 30))


def test_what_is_used_up_on_thursday_goes_on_on_monday() -> None:
    thursday = _berlin(2026, 11, 26, 16, 0)
    used = Used(day=Tally(10, thursday - timedelta(hours=2)))
    share = decide(Ration(1, per_day=10, calendar=OFFICE), thursday, used, 5)
    assert (share.why, share.next_at) == (Why.PER_DAY, _berlin(2026, 11, 30, 8, 30))


def test_a_share_ends_when_working_hours_do() -> None:
    share = decide(Ration(1, calendar=OFFICE), _berlin(2026, 11, 26, 17, 29), Used(), 5)
    assert (share.count, share.until) == (5, _berlin(2026, 11, 26, 17, 30))


def test_an_account_without_working_time_says_so() -> None:
    holidays = frozenset(date(2026, 11, 1) + timedelta(days=number) for number in range(600))
    share = decide(Ration(1, calendar=Calendar(holidays=holidays)), _berlin(2026, 11, 26, 12, 0), Used(), 5)
    assert (share.count, share.next_at, share.why) == (0, None, Why.NEVER_OPEN)


def test_a_server_that_asks_to_wait_is_obeyed_before_all_else() -> None:
    now = _berlin(2026, 11, 26, 17, 29)
    slow = Slowdown().complained(now, sent_last_minute=10, retry_after=timedelta(minutes=5))
    share = decide(Ration(1, calendar=OFFICE, slowdown=slow), now, Used(), 5)
    # Its five minutes end after Thursday's closing.
    assert (share.why, share.next_at) == (Why.SERVER_WAIT, _berlin(2026, 11, 30, 8, 30))


def test_a_slowed_account_goes_on_slowly() -> None:
    now = _berlin(2026, 11, 26, 12, 0)
    slow = Slowdown().complained(now, sent_last_minute=10)
    ration = Ration(1, per_minute=100, slowdown=slow)
    assert ration.counts_marks
    later = now + timedelta(minutes=1)
    share = decide(ration, later, Used(minute=Tally(3, now + timedelta(seconds=30))), 50)
    assert (share.count, share.why) == (2, Why.SERVER_SLOW)
    full = decide(ration, later, Used(minute=Tally(5, now + timedelta(seconds=30))), 50)
    assert (full.count, full.why) == (0, Why.SERVER_SLOW)
    much_later = now + timedelta(minutes=90)
    assert decide(ration, much_later, Used(), 500).count == 100


def test_every_reason_has_a_sentence() -> None:
    for why in Why:
        assert why.reason[0].islower()
        assert why.sentence == f"{why.reason[0].upper()}{why.reason[1:]}."
