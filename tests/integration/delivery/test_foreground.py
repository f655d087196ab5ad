"""The work without a cluster, in this process: threads, nudges, pauses."""

import threading
import time
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connections, transaction

from massmail_plugin.delivery.models import Heartbeat, Nudge
from massmail_plugin.delivery.running import foreground, heartbeats
from massmail_plugin.delivery.running.foreground import Foreground
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.delivery.turns.worker import Drained
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import MailingState
from tests.builders import a_mailing, a_user, an_account, contacts, start_now


@pytest.fixture(autouse=True)
def _runner(settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "RUNNER": "worker", "POLL_SECONDS": 0.05}


@contextmanager
def at_work(work):
    """Let ``work`` run in a thread, and stop it at the end."""

    def run():
        try:
            work.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        work.stop()
        thread.join(60)
        assert not thread.is_alive()


def test_a_pressed_button_is_noticed_long_before_the_next_tick(smtp_server, monkeypatch):
    monkeypatch.setattr(foreground, "TICK_SECONDS", 10_000)
    an_account(smtp_server)
    work = Foreground(threads=2)
    first_tick = threading.Event()
    run_tick = foreground.run_tick
    monkeypatch.setattr(foreground, "run_tick", lambda: (run_tick(), first_tick.set())[0])
    with smtp_server.holding("dot") as held, at_work(work):
        assert first_tick.wait(60)
        actions.release(a_mailing(to=contacts(1)))
        nudge_tick()
        held.wait_until_reached()
        held.release()
    assert smtp_server.recipients == ["person1@customers.example"]
    assert work.handled == 1
    assert not Nudge.objects.exists()


def test_accounts_send_at_the_same_time(smtp_server):
    """A server that keeps its answer back holds up its own account and no other."""
    slow, quick = an_account(smtp_server, owner=a_user()), an_account(smtp_server)
    start_now(a_mailing(to=contacts(1), through=slow))
    start_now(a_mailing(to=contacts(1, domain="others.example")))
    with (
        smtp_server.holding("dot", when="customers.example") as held,
        smtp_server.holding("dot", when="others.example") as other,
        at_work(Foreground(threads=2)),
    ):
        held.wait_until_reached()
        other.wait_until_reached()
        held.release()
        other.release()
    assert quick.deliveries.get().state == slow.deliveries.get().state == "accepted"


def test_no_more_accounts_send_at_once_than_there_are_threads(smtp_server, monkeypatch):
    at_once, most, lock = [0], [0], threading.Lock()

    def drain(account_id, **options):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        with lock:
            at_once[0] -= 1
        return Drained(handled=1)

    monkeypatch.setattr(foreground, "drain", drain)
    monkeypatch.setattr(foreground, "run_tick", lambda: list(range(1, 9)))
    work = Foreground(threads=1)
    work.run_once(60)
    assert (most[0], work.handled) == (1, 8)


def test_a_pass_goes_on_until_nothing_is_due(smtp_server, settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "SLICE_SECONDS": 0}
    an_account(smtp_server)
    mailing = a_mailing(to=contacts(5))
    actions.release(mailing)
    nudge_tick()
    Foreground(threads=2).run_once(60)
    mailing.refresh_from_db()
    assert (mailing.state, len(smtp_server.mails)) == (MailingState.DONE, 5)
    assert not Nudge.objects.exists()


def test_a_pass_whose_time_is_over_begins_no_further_turn(smtp_server):
    an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(5)))
    Foreground(threads=2).run_once(0)
    assert run.deliveries.filter(state="queued", attempts=0).count() == 5
    assert not smtp_server.mails


def test_an_account_that_breaks_ends_nothing(smtp_server, monkeypatch):
    broken = an_account(smtp_server, owner=a_user())
    an_account(smtp_server)
    start_now(a_mailing(to=contacts(1), through=broken))
    mailing = a_mailing(to=contacts(1, domain="others.example"))
    start_now(mailing)
    drain, tried = foreground.drain, []

    def drain_or_break(account_id, **options):
        tried.append(account_id)
        if account_id == broken.pk:
            raise SystemError("a bug of ours")
        return drain(account_id, **options)

    monkeypatch.setattr(foreground, "drain", drain_or_break)
    Foreground(threads=1).run_once(60)
    assert smtp_server.recipients == ["person1@others.example"]
    # It rests until the next tick: trying it again at once would be a hot loop.
    assert tried.count(broken.pk) == 1


def test_an_outage_of_the_database_is_waited_for_with_growing_pauses(monkeypatch, caplog):
    """F29: no spinning, and the work goes on by itself."""
    pauses, outages = [], iter([OperationalError("gone")] * 9)
    monkeypatch.setattr(connections, "close_all", lambda: None)
    work = Foreground(threads=1)

    def tick():
        for outage in outages:
            raise outage
        work.stop()
        return []

    monkeypatch.setattr(foreground, "run_tick", tick)
    monkeypatch.setattr(work, "_wait", pauses.append)
    work.run()
    assert pauses[:-1] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert caplog.text.count("The database is away") == 9
    assert "Traceback" not in caplog.text


def test_a_worker_shows_that_it_is_there(monkeypatch):
    work, silent = Foreground(threads=1), []

    def wait(seconds):
        silent.append(heartbeats.is_silent())
        work.stop()

    monkeypatch.setattr(work, "_wait", wait)
    work.run()
    assert set(Heartbeat.objects.values_list("kind", flat=True)) == {"worker", "tick"}
    assert silent == [False]


def test_a_worker_that_was_stopped_is_gone_at_once(monkeypatch):
    """Nobody has to wait for two minutes of silence to hear it."""
    work = Foreground(threads=1)
    monkeypatch.setattr(work, "_wait", lambda seconds: work.stop())
    work.run()
    assert heartbeats.is_silent()
    heartbeats.beat(Heartbeat.Kind.WORKER)
    assert not heartbeats.is_silent()


def test_an_account_that_pauses_after_each_mail_comes_back_in_time(smtp_server, monkeypatch):
    """Long before the next tick, and not earlier than its own pace allows."""
    monkeypatch.setattr(foreground, "TICK_SECONDS", 10_000)
    account = an_account(smtp_server)
    start_now(a_mailing(to=contacts(1)))
    turns, third = [], threading.Event()

    def drain(account_id, **options):
        turns.append(time.monotonic())
        if len(turns) == 3:
            third.set()
            return Drained(handled=1)
        return Drained(handled=1, next_in=0.2)

    monkeypatch.setattr(foreground, "drain", drain)
    monkeypatch.setattr(foreground, "run_tick", lambda: [account.pk])
    with at_work(Foreground(threads=1)):
        assert third.wait(60)
    assert turns[1] - turns[0] >= 0.2
    assert len(turns) == 3


def test_what_is_logged_names_nobody(smtp_server, caplog):
    smtp_server.answer("RCPT", "451 4.3.0 person1@customers.example: try later")
    an_account(smtp_server)
    start_now(a_mailing(to=contacts(6)))
    with caplog.at_level("INFO"):
        Foreground(threads=1).run_once(60)
    assert "it had to stop" in caplog.text
    assert "@" not in caplog.text


def test_a_button_whose_work_is_undone_is_not_noticed():
    with transaction.atomic():
        nudge_tick()
        transaction.set_rollback(True)
    assert not Nudge.objects.exists()


def test_a_mailing_that_ends_is_done_at_once(smtp_server):
    an_account(smtp_server)
    mailing = a_mailing(to=contacts(2))
    start_now(mailing)
    done = threading.Event()
    look_after = foreground.Foreground._look_after

    def look_and_tell(self):
        look_after(self)
        if Mailing.objects.filter(pk=mailing.pk, state=MailingState.DONE).exists():
            done.set()

    foreground.Foreground._look_after = look_and_tell
    try:
        with at_work(Foreground(threads=1)):
            assert done.wait(60)
    finally:
        foreground.Foreground._look_after = look_after


def test_a_thread_that_cannot_be_started_ends_nothing(smtp_server, monkeypatch, caplog):
    """The account has its turn later, and the worker can be stopped."""
    monkeypatch.setattr(foreground, "_FIRST_PAUSE", 0)
    an_account(smtp_server)
    start_now(a_mailing(to=contacts(1)))
    start, failures = threading.Thread.start, []

    def refused_twice(thread):
        if thread.name.startswith("account-") and len(failures) < 2:
            failures.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused_twice)
    with smtp_server.holding("dot") as held, at_work(Foreground(threads=2)):
        held.wait_until_reached()
        held.release()
    assert len(failures) == 2
    assert len(smtp_server.mails) == 1
