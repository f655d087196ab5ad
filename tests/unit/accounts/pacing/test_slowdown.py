"""What follows from a server's complaint that mails come too fast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from massmail_plugin.accounts.pacing.slowdown import FIRST_WAIT, LONGEST_WAIT, QUIET, Slowdown

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _complained_again_and_again(times: int) -> Slowdown:
    slow = Slowdown()
    now = NOON
    for _ in range(times):
        slow = slow.complained(now, sent_last_minute=100)
        assert slow.resume_at
        now = slow.resume_at + timedelta(seconds=1)
    return slow


def test_an_account_without_complaints_is_not_slowed() -> None:
    assert Slowdown().rate(NOON) is None
    assert not Slowdown().is_waiting(NOON)


def test_the_first_complaint_waits_a_minute_and_halves_the_speed() -> None:
    slow = Slowdown().complained(NOON, sent_last_minute=100)
    assert slow.resume_at == NOON + FIRST_WAIT
    assert slow.is_waiting(NOON + FIRST_WAIT - timedelta(seconds=1))
    assert not slow.is_waiting(NOON + FIRST_WAIT)
    assert slow.rate(NOON + FIRST_WAIT) == 50


def test_each_further_complaint_waits_twice_as_long_up_to_an_hour() -> None:
    waits = [_complained_again_and_again(times) for times in range(1, 9)]
    minutes = [(slow.resume_at - slow.since) // timedelta(minutes=1) for slow in waits]  # type: ignore[operator]
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]
    assert waits[-1].per_minute == 1


def test_mails_that_hear_the_same_complaint_do_not_double_it() -> None:
    first = Slowdown().complained(NOON, sent_last_minute=100)
    assert first.complained(NOON + timedelta(seconds=5), sent_last_minute=100) == first


def test_the_speed_doubles_in_quiet_times_until_nothing_is_left() -> None:
    slow = Slowdown().complained(NOON, sent_last_minute=6)
    assert slow.resume_at
    rates = [slow.rate(slow.resume_at + number * QUIET) for number in range(8)]
    assert rates == [3, 6, 12, 24, 48, 96, 192, None]


def test_what_a_server_asks_for_is_kept_but_not_for_ever() -> None:
    slow = Slowdown().complained(NOON, sent_last_minute=6, retry_after=timedelta(minutes=7))
    assert slow.resume_at == NOON + timedelta(minutes=7)
    longer = slow.complained(NOON, sent_last_minute=6, retry_after=timedelta(days=9))
    assert longer.resume_at == NOON + LONGEST_WAIT


@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 500), st.integers(0, 100_000)),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_comes_it_waits_at_most_an_hour_and_goes_on(complaints: list[tuple[int, int, int]]) -> None:
    slow, now = Slowdown(), NOON
    for later, sent, retry_after in complaints:
        now += timedelta(seconds=later)
        slow = slow.complained(now, sent_last_minute=sent, retry_after=timedelta(seconds=retry_after))
        assert slow.resume_at
        assert now <= slow.resume_at <= now + LONGEST_WAIT
        assert (slow.rate(now) or 0) >= 1
    assert slow.rate(now + LONGEST_WAIT + 7 * QUIET) is None
