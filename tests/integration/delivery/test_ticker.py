"""The tick, the schedule and the nudges: what keeps everything going, and what a lost one costs."""

import threading
from datetime import timedelta

from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.running import nudges
from massmail_plugin.delivery.running.schedule import NAME, ensure_schedule
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import MailingState
from tests.builders import a_mailing, a_user, an_account, contacts, start_now


def test_there_is_one_schedule_after_migrate_and_it_stays_one():
    assert Schedule.objects.filter(name=NAME).count() == 1
    ensure_schedule()
    assert Schedule.objects.filter(name=NAME).count() == 1


def test_doubled_and_changed_schedules_are_put_right():
    Schedule.objects.filter(name=NAME).update(minutes=50)
    Schedule.objects.create(name=NAME, func="somewhere.else")
    ensure_schedule()
    schedule = Schedule.objects.get(name=NAME)
    assert (schedule.minutes, schedule.func) == (1, "massmail_plugin.delivery.tasks.tick")


def test_the_tick_starts_what_is_due_and_names_the_accounts_with_work():
    account = an_account()
    mailing = a_mailing(to=contacts(1))
    actions.release(mailing)
    assert run_tick() == [account.pk]
    mailing.refresh_from_db()
    assert mailing.state == MailingState.ACTIVE


def test_the_tick_does_nothing_when_there_is_nothing_to_do():
    an_account()
    assert run_tick() == []


def test_a_mailing_whose_account_has_stopped_is_interrupted_and_says_what_to_do():
    account = an_account()
    mailing = a_mailing(to=contacts(2))
    start_now(mailing)
    SenderAccount.objects.update(state=SenderAccount.State.FAULTY)
    assert run_tick() == []
    mailing.refresh_from_db()
    assert mailing.state == MailingState.INTERRUPTED
    assert "Resume" in mailing.notice
    SenderAccount.objects.update(state=SenderAccount.State.READY)
    actions.resume(mailing)
    assert run_tick() == [account.pk]


def test_failures_show_while_the_others_go_on(smtp_server):
    smtp_server.answer("RCPT", "550 5.1.1 No such mailbox", when="person1@")
    account = an_account(smtp_server)
    mailing = a_mailing(to=contacts(3))
    start_now(mailing)
    Delivery.objects.filter(email="person3@customers.example").update(
        state="deferred", next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    drain(account.pk)
    run_tick()
    mailing.refresh_from_db()
    assert mailing.state == MailingState.ACTIVE_ERROR


def test_one_pass_of_the_command_does_what_a_cluster_does(smtp_server, capsys):
    an_account(smtp_server)
    mailing = a_mailing(to=contacts(3))
    actions.release(mailing)
    call_command("massmail_tick")
    mailing.refresh_from_db()
    assert mailing.state == MailingState.DONE
    assert len(smtp_server.mails) == 3
    assert "3 mails" in capsys.readouterr().out


def test_an_account_that_breaks_keeps_no_other_from_sending(smtp_server, monkeypatch):
    from massmail_plugin.delivery.running import foreground

    def drain_or_break(account_id, **options):
        if account_id == broken.pk:
            raise SystemError("a bug of ours")
        return drain(account_id, **options)

    monkeypatch.setattr(foreground, "drain", drain_or_break)
    broken = an_account(owner=a_user())
    an_account(smtp_server)
    actions.release(a_mailing(to=contacts(1), through=broken))
    actions.release(a_mailing(to=contacts(1, domain="others.example")))
    call_command("massmail_tick")
    assert smtp_server.recipients == ["person1@others.example"]


def test_a_repeated_and_a_late_nudge_do_no_harm(smtp_server):
    from massmail_plugin.delivery import tasks

    account = an_account(smtp_server)
    actions.release(a_mailing(to=contacts(3)))
    for task in (
        tasks.tick,
        tasks.tick,
        lambda: tasks.drain_account(account.pk),
        lambda: tasks.drain_account(account.pk),
    ):
        task()
    tasks.drain_account(987654)
    assert sorted(smtp_server.recipients) == [f"person{n}@customers.example" for n in (1, 2, 3)]


def test_a_turn_shows_that_it_lives_while_it_waits_for_a_slow_server(smtp_server, monkeypatch):
    """A worker that waits ten minutes for an answer must not look like one that has frozen."""
    from massmail_plugin.delivery import tasks
    from massmail_plugin.delivery.running import heartbeats
    from massmail_plugin.delivery.turns import turn

    beats, third = [], threading.Event()

    def beat(kind):
        beats.append(kind)
        if len(beats) == 3:
            third.set()

    monkeypatch.setattr(heartbeats, "beat", beat)
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0)
    monkeypatch.setattr(turn, "_LOOK_UP_SECONDS", 0.01)
    account = an_account(smtp_server)
    start_now(a_mailing(to=contacts(1)))
    with smtp_server.holding("dot") as held:
        sending = threading.Thread(target=lambda: (tasks.drain_account(account.pk), connections.close_all()))
        sending.start()
        held.wait_until_reached()
        third.clear()
        beats.clear()
        assert third.wait(60)
        held.release()
        sending.join(60)
    assert set(beats) == {"cluster", "tick"}


def test_an_unreachable_server_is_not_called_without_end(smtp_server):
    """A drain that had to stop must not nudge its own account again: that would be a hot loop."""
    from massmail_plugin.delivery import tasks

    smtp_server.hang_up("EHLO")
    account, other = an_account(smtp_server, owner=a_user()), an_account(smtp_server)
    start_now(a_mailing(to=contacts(1), through=account))
    start_now(a_mailing(to=contacts(1, domain="others.example")))
    OrmQ.objects.all().delete()
    for one in (account, other):
        tasks.drain_account(one.pk)
    # Nor may one unreachable account call the other, which would call it back.
    assert not OrmQ.objects.exists()


def test_an_account_that_pauses_after_each_mail_comes_back_in_time(smtp_server, monkeypatch):
    """A pause longer than a turn must not make it one mail a minute."""
    from massmail_plugin.delivery import tasks
    from massmail_plugin.delivery.ledger import clock

    waited = []
    monkeypatch.setattr(tasks.time, "sleep", waited.append)
    account = an_account(smtp_server, spacing_from=40, spacing_until=40)
    run = start_now(a_mailing(to=contacts(3)))
    OrmQ.objects.all().delete()

    def next_task():
        [queued] = OrmQ.objects.all()
        queued.delete()
        return queued.task["args"]

    tasks.drain_account(account.pk)
    number, due = next_task()
    assert number == account.pk
    assert 30 < due - clock.now().timestamp() <= 41
    # Too early: it waits a little and asks again for the same time.
    tasks.drain_account(account.pk, due)
    assert next_task() == (account.pk, due)
    assert waited == [tasks._WAIT_SECONDS]
    # Another task has been quicker: whoever waited in vain does not go on, or there would be ever more.
    tasks.drain_account(account.pk, clock.now().timestamp() - 1)
    assert not OrmQ.objects.exists()
    assert len(smtp_server.mails) == 1
    run.deliveries.exclude(paced_at=None).update(paced_at=run.started_at - timedelta(minutes=1))
    tasks.drain_account(account.pk, due - 40)
    assert len(smtp_server.mails) == 2
    assert next_task()[1] > due - 1


def test_a_broker_that_is_away_fails_nobodys_click(monkeypatch):
    def away(*args, **kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr("django_q.tasks.async_task", away)
    nudges.nudge_tick()


def test_a_worker_ends_its_turn_and_gives_the_rest_back(smtp_server):
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(30)))
    assert drain(account.pk, seconds=0).handled == 1
    assert run.deliveries.filter(state="queued", attempts=0).count() == 29
