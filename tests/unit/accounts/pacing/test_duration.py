"""About when the last mail leaves: the rough sum agrees with what workers really do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from massmail_plugin.accounts.pacing.calendar import Calendar
from massmail_plugin.accounts.pacing.duration import Way, estimate
from massmail_plugin.accounts.pacing.ration import Ration
from massmail_plugin.accounts.pacing.spreading import Spacing
from tests.unit.accounts.pacing.workers import Book, every

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Calendar(BERLIN, frozenset(range(4)), time(8, 30), time(17, 30))
MONDAY = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)


def _really_done(ration: Ration, number: int) -> datetime:
    book = Book()
    for now in every(20, MONDAY, MONDAY + timedelta(days=15)):
        book.left += [now] * book.ask(ration, now, 100).count
        if len(book.left) >= number:
            return now
    raise AssertionError("It took longer than two weeks.")


@pytest.mark.parametrize(
    ("ration", "number"),
    [
        (Ration(1, per_hour=50), 500),
        (Ration(1, per_hour=50, calendar=OFFICE), 1000),
        (Ration(1, per_day=94, spread_evenly=True, calendar=OFFICE), 400),
        (Ration(1, per_day=94, calendar=OFFICE), 600),
        (Ration(1, per_minute=2, calendar=OFFICE), 1500),
        (Ration(1, spacing=Spacing(60, 120), calendar=OFFICE), 300),
        (Ration(1, per_hour=40, per_day=200), 900),
        (Ration(1, system_per_hour=30), 300),
    ],
)
def test_it_is_about_right(ration: Ration, number: int) -> None:
    found = estimate(number, [Way(ration)], MONDAY)
    assert found
    really = _really_done(ration, number)
    assert abs(found.done_at - really) < 0.25 * (really - MONDAY) + timedelta(hours=1)


def test_a_days_limit_takes_as_many_days() -> None:
    found = estimate(1128, [Way(Ration(1, per_day=94, spread_evenly=True, calendar=OFFICE))], MONDAY)
    assert found
    # Twelve days of sending, four in a week: the third Thursday.
    assert found.days == 12
    assert found.done_at.astimezone(BERLIN).date() == datetime(2026, 12, 10).date()


def test_two_accounts_take_half_as_long() -> None:
    way = Way(Ration(1, per_hour=10))
    one, two = estimate(100, [way], MONDAY), estimate(100, [way, way], MONDAY)
    assert one
    assert two
    assert one.done_at - MONDAY == pytest.approx(2 * (two.done_at - MONDAY), abs=timedelta(minutes=1))


def test_what_has_left_today_is_taken_into_account() -> None:
    ration = Ration(1, per_day=94, calendar=OFFICE)
    fresh, used = estimate(94, [Way(ration)], MONDAY), estimate(94, [Way(ration, sent=94)], MONDAY)
    assert fresh
    assert used
    assert (fresh.days, used.days) == (1, 1)
    assert used.done_at - fresh.done_at == timedelta(days=1)


def test_without_limits_or_without_accounts_nobody_knows() -> None:
    assert estimate(10, [Way(Ration(1, calendar=OFFICE))], MONDAY) is None
    assert estimate(10, [], MONDAY) is None
    assert estimate(10**9, [Way(Ration(1, per_day=1))], MONDAY) is None
