"""Claims keep to limits and working hours: exactly, whatever workers do and whatever time it is."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from massmail_plugin import preferences
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import claiming, clock, fence, leases, writing
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.models import SenderAccount
from massmail_plugin.preferences import DomainLimit, MailPreferences
from tests.builders import a_mailing, an_account, contacts, start_now

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


class Clock:
    """The database's clock, as a test wants it."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now


class SteppingClock:
    """The database's clock, a step further on each time that anybody looks: so it goes by the work that is done."""

    def __init__(self, step: dt.timedelta) -> None:
        self._now, self._step = dt.datetime(2026, 3, 11, 12, tzinfo=dt.UTC), step
        self._lock = threading.Lock()

    def __call__(self) -> dt.datetime:
        with self._lock:
            self._now += self._step
            return self._now


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], dt.datetime]], None]]:
    """Let the database's clock be the machine's, as with SQLite, and that one be what a test wants."""

    def set_clock(now: Callable[[], dt.datetime]) -> None:
        monkeypatch.setattr(clock, "_EXPRESSIONS", {})
        monkeypatch.setattr(timezone, "now", now)
        fence._fence.cache_clear()

    yield set_clock
    fence._fence.cache_clear()


@pytest.fixture
def at(set_clock: Callable[[Clock], None]) -> Callable[[dt.datetime], Clock]:
    def at(now: dt.datetime) -> Clock:
        here = Clock(now)
        set_clock(here)
        return here

    return at


def _limit_everybody(**fields: int) -> MailPreferences:
    site = preferences.load()
    MailPreferences.objects.filter(pk=site.pk).update(**fields)
    return site


def _send(claimed: list[Delivery]) -> int:
    """Let the mails pass the fence and be sent. Returns how many passed."""
    allowed = fence.commit_to_send(claimed)
    sent = [delivery for delivery in claimed if delivery.pk in allowed]
    writing.write(Entry(delivery.pk, delivery.claim_token, DeliveryState.ACCEPTED) for delivery in sent)
    return len(sent)


def _most_in_a_window(marks: list[dt.datetime], window: dt.timedelta) -> int:
    """Return the largest number of marks in any window, of which one end does not belong to it."""
    marks = sorted(marks)
    return max(sum(mark <= other < mark + window for other in marks) for mark in marks)


# Any number of workers


class Workers:
    """Workers that claim and send as fast as they can, die now and then, and give mails back."""

    def __init__(self, accounts: list[SenderAccount], wanted: int) -> None:
        self._accounts, self._wanted = accounts, wanted
        self._errors: list[BaseException] = []
        self._failed = threading.Event()

    def run(self, number: int) -> None:
        together = threading.Barrier(number)
        threads = [threading.Thread(target=self._work, args=[seed, together]) for seed in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _work(self, seed: int, together: threading.Barrier) -> None:
        luck = random.Random(seed)
        try:
            connection.ensure_connection()
            together.wait()
            while not self._failed.is_set() and _sent().count() < self._wanted:
                self._one_claim(luck)
        except BaseException as error:
            self._errors.append(error)
            self._failed.set()
        finally:
            connections.close_all()

    def _one_claim(self, luck: random.Random) -> None:
        claimed = claiming.claim(luck.choice(self._accounts), luck.randint(1, 7))
        if luck.random() < 0.1:
            # Of two that wait for each other MariaDB ends one; the next tick sweeps again.
            with suppress(OperationalError):
                sweep()
        if not claimed:
            # As a worker does; those who have mails must come to write, which SQLite grants in no order.
            self._failed.wait(0.01)
            return
        luck.shuffle(claimed)
        half = len(claimed) // 2
        match luck.choice(["dies", "dies past the fence", "gives back", "sends", "sends", "sends"]):
            case "dies":
                _die(claimed)
            case "dies past the fence":
                fence.commit_to_send(claimed[half:])
                _die(claimed)
            case "gives back":
                _send(claimed[:half])
                leases.give_back(claimed)
            case _:
                _send(claimed)


def _die(claimed: list[Delivery]) -> None:
    """Leave the mails as they are, and let so much time pass for them that their leases are over."""
    long_ago = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in claimed]).update(lease_until=long_ago)


def _sent():
    past_the_fence = (DeliveryState.ACCEPTED, DeliveryState.IN_DOUBT, DeliveryState.HANDING)
    return Delivery.objects.filter(state__in=past_the_fence)


@pytest.fixture
def stepping_clock(set_clock, settings) -> Callable[[dt.timedelta], None]:
    """Leases last long: threads that wait their turn must not lose their mails, however slow the machine is."""

    def step(by: dt.timedelta) -> None:
        settings.MASSMAIL = {**settings.MASSMAIL, "LEASE_SECONDS": 1_000_000, "MAX_ATTEMPTS": 1000}
        set_clock(SteppingClock(by))

    return step


def test_no_minute_holds_more_than_the_limit_of_an_account_with_four_workers(stepping_clock):
    account = an_account(per_minute=10)
    start_now(a_mailing(to=contacts(60)))
    stepping_clock(MINUTE / 60)
    Workers([account], wanted=35).run(4)
    marks = list(_sent().values_list("paced_at", flat=True))
    assert len(marks) >= 35
    assert _most_in_a_window(marks, MINUTE) <= 10


def test_no_hour_holds_more_than_the_limit_of_all_accounts_with_four_workers(stepping_clock):
    accounts = [an_account(name="A", per_minute=10), an_account(name="B"), an_account(name="C")]
    _limit_everybody(per_hour_limit=15)
    start_now(a_mailing(to=contacts(80)))
    stepping_clock(HOUR / 90)
    Workers(accounts, wanted=50).run(4)
    sent = list(_sent().values_list("account", "paced_at"))
    assert len({account for account, _mark in sent}) > 1
    assert _most_in_a_window([mark for _account, mark in sent], HOUR) <= 15


def test_no_hour_holds_more_than_the_limit_of_a_domain_with_four_workers(stepping_clock):
    accounts = [an_account(name="A"), an_account(name="B")]
    DomainLimit.objects.create(preferences=preferences.load(), domain="customers.example", per_hour=10)
    start_now(a_mailing(to=contacts(40) + contacts(10, domain="elsewhere.example")))
    stepping_clock(HOUR / 90)
    Workers(accounts, wanted=35).run(4)
    marks = _sent().filter(envelope__endswith="@customers.example").values_list("paced_at", flat=True)
    assert len(marks) > 10
    assert _most_in_a_window(list(marks), HOUR) <= 10


# Whatever time it is


@pytest.mark.parametrize("days", [1, -1])
def test_a_worker_whose_clock_is_a_day_off_sends_no_more_and_no_less(monkeypatch, days):
    """F61: limits and leases go by the database's clock. With SQLite that is the machine's own."""
    account = an_account(per_minute=3, per_day=5)
    start_now(a_mailing(to=contacts(10)))
    assert _send(claiming.claim(account, 10)) == 3
    if connection.vendor == "sqlite":
        real = Mock(now=lambda: dt.datetime.now(dt.UTC))
        monkeypatch.setattr(clock, "timezone", real)
        monkeypatch.setattr(fence, "timezone", real)
    monkeypatch.setattr(timezone, "now", lambda: dt.datetime.now(dt.UTC) + days * DAY)
    claimed = claiming.claim(account, 10)
    assert (claimed, claimed.why) == ([], Why.PER_MINUTE)
    assert sweep() == 0
    Delivery.objects.update(paced_at=dt.datetime.now(dt.UTC) - 2 * MINUTE)
    assert _send(claiming.claim(account, 10)) == 2, "And all the others: five a day."


@pytest.mark.parametrize(
    "evening",
    [
        dt.datetime(2026, 3, 10, 23, 50, tzinfo=BERLIN),
        dt.datetime(2026, 3, 28, 23, 50, tzinfo=BERLIN),
        dt.datetime(2026, 10, 24, 23, 50, tzinfo=BERLIN),
    ],
    ids=["24 hours", "23 hours", "25 hours"],
)
def test_midnight_gives_no_second_ration(at, evening):
    """F64: 24 hours are 24 hours, however long the day is."""
    now = at(evening.astimezone(dt.UTC))
    account = an_account(per_day=5, time_zone="Europe/Berlin")
    start_now(a_mailing(to=contacts(20)))
    assert _send(claiming.claim(account, 20)) == 5
    began = now.now
    for later in (20 * MINUTE, 2 * HOUR, 23 * HOUR, DAY - dt.timedelta(seconds=1)):
        now.now = began + later
        claimed = claiming.claim(account, 20)
        assert (claimed, claimed.why, claimed.next_at) == ([], Why.PER_DAY, began + DAY)
    now.now = began + DAY
    assert _send(claiming.claim(account, 20)) == 5


def _closing_soon() -> SenderAccount:
    return an_account(
        working_hours_only=True,
        work_from=dt.time(8, 30),
        work_until=dt.time(17, 30),
        working_days=[0, 1, 2, 3],
        time_zone="Europe/Berlin",
    )


def test_no_lease_lasts_longer_than_the_working_hours(at):
    """F65: what was claimed before they end does not pass the fence afterwards, and no attempt is used."""
    end = dt.datetime(2026, 3, 12, 17, 30, tzinfo=BERLIN).astimezone(dt.UTC)
    now = at(end - dt.timedelta(seconds=10))
    account = _closing_soon()
    start_now(a_mailing(to=contacts(3)))
    claimed = claiming.claim(account, 2)
    assert {delivery.lease_until for delivery in claimed} == {end}
    assert claimed.closes_at == end
    now.now = end - dt.timedelta(seconds=1)
    assert fence.commit_to_send(claimed[:1])
    now.now = end
    assert not fence.commit_to_send(claimed[1:])
    assert leases.give_back(claimed) == 1
    assert Delivery.objects.get(pk=claimed[1].pk).attempts == 0
    nothing = claiming.claim(account, 2)
    # 12 March is a Thursday, and there is no work from Friday to Sunday.
    monday = dt.datetime(2026, 3, 16, 8, 30, tzinfo=BERLIN)
    assert (nothing, nothing.why, nothing.next_at) == ([], Why.HOURS, monday)


def test_renewed_leases_end_with_the_working_hours_too(at):
    end = dt.datetime(2026, 3, 12, 17, 30, tzinfo=BERLIN).astimezone(dt.UTC)
    now = at(end - HOUR)
    account = _closing_soon()
    start_now(a_mailing(to=contacts(2)))
    claimed = claiming.claim(account, 2)
    now.now = end - MINUTE
    Delivery.objects.update(lease_until=end - dt.timedelta(seconds=30))
    leases.renew(claimed, claimed.closes_at)
    assert set(Delivery.objects.values_list("lease_until", flat=True)) == {end}


def test_the_answer_to_a_mail_that_left_in_time_is_waited_for_after_the_working_hours(at):
    end = dt.datetime(2026, 3, 12, 17, 30, tzinfo=BERLIN).astimezone(dt.UTC)
    now = at(end - dt.timedelta(seconds=10))
    account = _closing_soon()
    start_now(a_mailing(to=contacts(1)))
    claimed = claiming.claim(account, 1)
    assert fence.commit_to_send(claimed)
    now.now = end + MINUTE
    assert sweep() == 0, "Its worker is alive: nothing is in doubt."


def test_working_hours_that_end_during_a_turn_stop_it_within_one_mail(smtp_server, set_clock):
    """F65: the fence refuses, what was claimed is given back, and no attempt is used."""
    end = dt.datetime(2026, 3, 12, 17, 30, tzinfo=BERLIN).astimezone(dt.UTC)
    account = _closing_soon()
    SenderAccount.objects.update(host=smtp_server.host, port=smtp_server.port, connections=1)
    start_now(a_mailing(to=contacts(10)))
    set_clock(lambda: end + (len(smtp_server.mails) - 3) * MINUTE)
    drained = drain(account.pk)
    assert len(smtp_server.mails) == 3
    assert not drained.more
    waiting = Delivery.objects.filter(state=DeliveryState.QUEUED)
    assert set(waiting.values_list("attempts", "lease_until", "paced_at")) == {(0, None, None)}
    assert waiting.count() == 7


# Which limit, and what follows


def test_mails_that_are_given_back_or_never_sent_count_for_nothing():
    account = an_account(per_minute=4)
    start_now(a_mailing(to=contacts(8)))
    claimed = claiming.claim(account, 8)
    assert len(claimed) == 4
    assert claiming.claim(account, 8) == []
    leases.give_back(claimed[:3])
    assert len(claiming.claim(account, 8)) == 3


def test_a_full_domain_lets_the_others_pass(at):
    now = at(timezone.now())
    DomainLimit.objects.create(preferences=preferences.load(), domain="big.example", per_hour=3)
    accounts = [an_account(name="A"), an_account(name="B")]
    start_now(a_mailing(to=contacts(10, domain="big.example") + contacts(5, domain="small.example")))
    claimed = claiming.claim(accounts[0], 20)
    domains = Counter(delivery.envelope.rpartition("@")[2] for delivery in claimed)
    assert domains == {"big.example": 3, "small.example": 5}
    _send(claimed)
    nothing = claiming.claim(accounts[1], 20)
    assert (nothing, nothing.why) == ([], Why.PER_DOMAIN)
    now.now += HOUR
    assert len(claiming.claim(accounts[1], 20)) == 3


def test_one_go_takes_no_more_of_each_mailing_than_its_limit():
    _limit_everybody(per_batch_limit=2)
    account = an_account()
    people = contacts(5)
    for _run in range(2):
        start_now(a_mailing(to=people))
    turn: Counter[int] = Counter()
    assert len(claiming.claim(account, 3, turn=turn)) == 3
    assert len(claiming.claim(account, 3, turn=turn)) == 1
    nothing = claiming.claim(account, 3, turn=turn)
    assert (nothing, nothing.why) == ([], Why.PER_TURN)
    assert len(claiming.claim(account, 9, turn=Counter())) == 4


def test_what_a_deleted_account_has_sent_still_counts_for_all():
    _limit_everybody(per_hour_limit=5)
    gone, account = an_account(name="A"), an_account(name="B")
    start_now(a_mailing(to=contacts(10)))
    assert _send(claiming.claim(gone, 3)) == 3
    gone.delete()
    assert len(claiming.claim(account, 10)) == 2


def test_limits_that_are_changed_hold_at_the_next_claim():
    account = an_account()
    start_now(a_mailing(to=contacts(10)))
    assert len(claiming.claim(account, 2)) == 2
    SenderAccount.objects.update(per_hour=3)
    assert len(claiming.claim(account, 10)) == 1, "Although the worker's own copy knows of no limit."
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    assert claiming.claim(account, 10) == []


def _sql(what: Callable[[], object]) -> str:
    with CaptureQueriesContext(connection) as queries:
        what()
    return "\n".join(query["sql"] for query in queries)


def test_an_account_without_limits_locks_nothing_and_counts_nothing():
    account = an_account()
    start_now(a_mailing(to=contacts(5)))
    preferences.load()
    sql = _sql(lambda: claiming.claim(account, 2))
    assert "COUNT(" not in sql
    locked = [line for line in sql.splitlines() if " FOR " in line]
    assert all("massmail_plugin_delivery" in line for line in locked)
    SenderAccount.objects.update(per_hour=100)
    assert "COUNT(" in _sql(lambda: claiming.claim(account, 2))


def test_the_moment_that_a_claim_sees_begins_after_its_locks(at: Callable[[dt.datetime], Clock]) -> None:
    """Where a transaction sees one moment only (REPEATABLE READ), any other question before would begin it too soon."""
    at(dt.datetime(2026, 3, 11, 12, tzinfo=dt.UTC))
    account = an_account(per_day=5, working_hours_only=True)
    _limit_everybody(per_hour_limit=50)
    start_now(a_mailing(to=contacts(2)))
    with CaptureQueriesContext(connection) as asked:
        assert len(claiming.claim(account, 2)) == 2
    statements = [query["sql"] for query in asked.captured_queries]
    begin = next(n for n, sql in enumerate(statements) if sql.startswith("BEGIN"))
    preferences_row, account_row = statements[begin + 1 : begin + 3]
    assert 'FROM "massmail_plugin_mailpreferences"' in preferences_row.replace("`", '"')
    assert 'FROM "massmail_plugin_senderaccount"' in account_row.replace("`", '"')
