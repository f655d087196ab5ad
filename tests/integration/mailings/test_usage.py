"""What counts as used is counted from the ledger, exactly as the arithmetic wants it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.calendar import EVERY_DAY, Calendar
from massmail_plugin.accounts.pacing.ration import Ration, Used
from massmail_plugin.accounts.pacing.spreading import Spacing
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.usage import Sent, sent_last_minute, sent_through, used_by, used_by_domain
from tests.builders import a_mailing, a_user, an_account, contacts, start_now
from tests.unit.accounts.pacing.workers import Book

pytestmark = pytest.mark.django_db

#: Half past two in Berlin.
NOW = datetime(2026, 11, 24, 13, 32, tzinfo=UTC)
OFFICE = Calendar(ZoneInfo("Europe/Berlin"), EVERY_DAY, time(8, 30), time(17, 30))


def _mark(account: SenderAccount, marks: list[datetime], domain: str = "customers.example") -> None:
    run = start_now(a_mailing(to=contacts(len(marks), domain=domain), through=account))
    for delivery, mark in zip(run.deliveries.order_by("pk"), marks, strict=True):
        Delivery.objects.filter(pk=delivery.pk).update(account=account, paced_at=mark)


@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_counts_what_the_arithmetic_would_count(seed: int) -> None:
    draw = random.Random(seed)
    edges = [0, 60, 3600, 86_400, 2 * 60, 6 * 3600 + 120]
    seconds = [draw.choice(edges) + draw.choice([-1e-6, 0, 1e-6, 30]) for _ in range(25)]
    marks = [NOW - timedelta(seconds=ago) for ago in seconds] + [NOW + timedelta(minutes=10)]
    account, other = an_account(owner=a_user()), an_account(owner=a_user())
    _mark(account, marks)
    _mark(other, [NOW - timedelta(minutes=30)], "elsewhere.example")
    ration = Ration(account.pk, 1, 2, 3, 4, True, Spacing(1, 2), OFFICE)
    book = Book(left=sorted(marks), others=[Book(left=[NOW - timedelta(minutes=30)])])
    assert used_by(ration, NOW) == book.used(ration, NOW)


def test_without_limits_nothing_is_asked(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(0):
        assert used_by(Ration(1, spread_evenly=True), NOW) == Used()


def test_mails_in_flight_have_not_been_sent_in_the_last_minute() -> None:
    account = an_account(owner=a_user())
    _mark(
        account, [NOW - timedelta(seconds=61), NOW - timedelta(seconds=59), NOW, NOW + timedelta(minutes=9)]
    )
    assert sent_last_minute(account.pk, NOW) == 2


def test_each_account_tells_what_it_has_sent() -> None:
    account, idle = an_account(owner=a_user()), an_account()
    _mark(account, [NOW - timedelta(hours=25), NOW - timedelta(hours=2), NOW - timedelta(minutes=5)])
    assert sent_through([account.pk, idle.pk], NOW) == {account.pk: Sent(hour=1, day=2), idle.pk: Sent()}


def test_a_domain_is_counted_through_all_accounts_and_without_its_neighbours() -> None:
    marks = [NOW - timedelta(minutes=61), NOW - timedelta(minutes=59)]
    _mark(an_account(owner=a_user()), marks, "Gmail.example")
    _mark(an_account(owner=a_user()), marks, "gmail.example.org")
    _mark(an_account(owner=a_user()), marks, "sub.gmail.example")
    found = used_by_domain(["gmail.example", "gmx.example"], NOW)
    assert found == {"gmail.example": 1, "gmx.example": 0}
