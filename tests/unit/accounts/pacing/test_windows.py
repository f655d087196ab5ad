"""No window ever holds more than its limit, whatever workers do; and nothing that is allowed is withheld."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.accounts.pacing.ration import Ration, Used, decide
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.accounts.pacing.windows import DAY, HOUR, MINUTE, Tally, room_by_domain, room_in
from tests.unit.accounts.pacing.workers import Book, every, most_in_a_window, work_at_once

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
limits = st.none() | st.integers(1, 12)

#: What a worker does next: claim so many, hand over so many, die; and how much later, in seconds.
_steps = st.lists(
    st.tuples(
        st.sampled_from(["claim", "fence", "fence", "die"]),
        st.integers(1, 30),
        st.sampled_from([0, 0.001, 1, 20, 59, 60, 61, 300, 3599, 3600, 20_000, 86_399, 86_400]),
        st.integers(0, 2),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(limits, limits, limits, limits, st.booleans(), _steps)
def test_no_window_ever_holds_more_than_its_limit(
    minute: int | None, hour: int | None, day: int | None, system: int | None, evenly: bool, steps: list
) -> None:
    books = [Book() for _ in range(3)]
    for book in books:
        book.others = [other for other in books if other is not book]
    rations = [Ration(number, minute, hour, day, system, spread_evenly=evenly) for number in range(3)]
    now = MONDAY
    for what, number, later, account in steps:
        now += timedelta(seconds=later)
        book = books[account]
        if what == "claim":
            book.claim(rations[account], now, number)
        elif what == "fence":
            for _ in range(number):
                book.fence(now)
        else:
            book.give_back()
    for book in books:
        for limit, window in ((minute, MINUTE), (hour, HOUR), (day, DAY)):
            assert limit is None or most_in_a_window(book.left, window) <= limit
    everybodys = [mark for book in books for mark in book.left]
    assert system is None or most_in_a_window(everybodys, HOUR) <= system


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 90), st.integers(1, 200), st.floats(10, 120), st.integers(1, 30))
def test_with_enough_to_do_a_limit_is_used_up(
    minute: int, hour: int, day: int, seconds: float, wanted: int
) -> None:
    """Whenever a worker asks and gets less than it wants, a window is full."""
    ration = Ration(1, minute, hour, day)
    book = Book()
    for now in every(seconds, MONDAY, MONDAY + timedelta(hours=2)):
        share = book.ask(ration, now, wanted)
        book.left += [now] * share.count
        used = book.used(ration, now)
        assert (share.count == wanted) == (share.why is None)
        if share.count < wanted:
            assert used.minute.number == minute or used.hour.number == hour or used.day.number == day, (
                "less than wanted although every window has room"
            )


@settings(max_examples=100, deadline=None)
@given(limits, limits, limits, st.floats(1, 400), st.booleans())
def test_when_to_ask_again_is_true(
    minute: int | None, hour: int | None, day: int | None, seconds: float, evenly: bool
) -> None:
    ration = Ration(1, minute, hour, day, spread_evenly=evenly)
    book = Book()
    now = MONDAY
    for _ in range(60):
        share = book.ask(ration, now, 50)
        if share.count:
            book.left += [now] * share.count
            now += timedelta(seconds=seconds)
            continue
        assert share.next_at
        assert share.next_at > now
        if share.why is not Why.SPREADING:
            just_before = share.next_at - timedelta(microseconds=1)
            assert not book.ask(ration, just_before, 50).count
            assert book.ask(ration, share.next_at, 50).count or evenly
        now = share.next_at


def test_an_hours_limit_is_one_of_any_hour_and_not_of_the_clocks() -> None:
    marks = work_at_once(Ration(1, per_hour=100), every(60, MONDAY, MONDAY + timedelta(hours=3)))
    assert len(marks) == 300
    assert marks[100] - marks[0] == HOUR


def test_a_lowered_limit_holds_at_once() -> None:
    book = Book(left=[MONDAY] * 50)
    share = book.ask(Ration(1, per_hour=10), MONDAY + timedelta(minutes=1), 5)
    assert (share.count, share.why) == (0, Why.PER_HOUR)


def test_the_reason_that_lasts_longest_is_given() -> None:
    minute, day = Tally(1, MONDAY), Tally(10, MONDAY - timedelta(hours=20))
    share = decide(Ration(1, per_minute=1, per_day=10), MONDAY, Used(minute=minute, day=day), 5)
    assert share.why is Why.PER_DAY
    assert share.next_at == MONDAY + timedelta(hours=4)


def test_without_limits_everything_may_leave() -> None:
    share = decide(Ration(1), MONDAY, Used(), 500)
    assert (share.count, share.until, share.next_at, share.why) == (500, None, None, None)
    assert not Ration(1).counts_marks


def test_a_full_window_whose_oldest_mark_is_unknown_names_no_time() -> None:
    room = room_in(3, Tally(3), HOUR)
    assert (room.number, room.next_at) == (0, None)


def test_domains_have_what_is_left_of_their_hour() -> None:
    room = room_by_domain({"gmail.com": 20, "gmx.de": 5}, {"gmail.com": 8, "gmx.de": 9})
    assert room == {"gmail.com": 12, "gmx.de": 0}
