"""A turn that meets a fault between an answer and what it asks for, or before its first mail."""

import math
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from massmail_plugin.delivery.keeping.journal import read
from massmail_plugin.delivery.keeping.patience import Patience
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import claiming, fence, leases
from massmail_plugin.delivery.mails.prepared import Prepared
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes, turn
from massmail_plugin.delivery.turns.events import Finished, Job
from massmail_plugin.delivery.turns.turn import Turn
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.models import SenderAccount
from sandbox.crm.models import Contact
from tests.builders import a_mailing, an_account, contacts, start_now
from tests.processes import wait_until
from tests.smtp_server import SmtpServer

ACCEPTED = Outcome(Verdict.ACCEPTED, "250 Ok")
GONE = Outcome(Verdict.RECIPIENT, "550 5.1.1 No such user", no_such_mailbox=True)
POLICY = Outcome(Verdict.POLICY, "550 5.7.1 Relaying denied")


@pytest.fixture
def account():
    return an_account()


@pytest.fixture
def folder(settings, tmp_path):
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path)}
    return tmp_path


def _past_the_fence(account, number):
    start_now(a_mailing(to=contacts(number)))
    claimed = claiming.claim(account, number)
    assert len(fence.commit_to_send(claimed)) == number
    return claimed


def _answers(claimed, outcomes):
    return [Finished(None, Job(one, None), outcome) for one, outcome in zip(claimed, outcomes, strict=True)]


def _deadlock():
    return OperationalError(1213, "Deadlock found when trying to get lock")


class Once:
    """Raises at its first call, and is the real function afterwards."""

    def __init__(self, real, error, times=1):
        self._real, self._errors = real, [error] * times

    def __call__(self, *args, **options):
        if self._errors:
            raise self._errors.pop()
        return self._real(*args, **options)


def test_all_answers_are_kept_before_the_database_is_asked_what_follows_from_one(
    account, folder, monkeypatch
):
    """It may let us wait for a lock: a worker that is killed then must leave nobody in doubt."""
    claimed = _past_the_fence(account, 4)
    turned = Turn(account, math.inf, lambda: False)
    kept = []

    def follow(delivery, outcome):
        kept.extend(entry.delivery for path in folder.glob("journal-*") for entry in read(path.read_bytes()))

    monkeypatch.setattr(outcomes, "follow", follow)
    turned._take(_answers(claimed, [GONE, ACCEPTED, ACCEPTED, POLICY]))
    assert kept[:4] == [delivery.pk for delivery in claimed]
    turned._records.close(Patience(0))


def test_of_several_refusals_for_policy_that_come_together_one_costs_an_attempt(account):
    claimed = _past_the_fence(account, 3)
    turned = Turn(account, math.inf, lambda: False)
    turned._take(_answers(claimed, [POLICY, POLICY, POLICY]))
    turned._records.close(Patience(0))
    assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_what_an_answer_asks_for_is_done_also_if_its_turn_has_broken(account, monkeypatch):
    claimed = _past_the_fence(account, 2)
    turned = Turn(account, math.inf, lambda: False)
    answers = [_answers(claimed, [ACCEPTED, GONE])]
    monkeypatch.setattr(turned._crew, "listen", lambda seconds: answers.pop() if answers else [])
    monkeypatch.setattr(turned, "_feed", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        turned.run()
    gone = Delivery.objects.get(pk=claimed[1].pk)
    assert gone.state == DeliveryState.FAILED
    assert gone.address.invalid_since


@pytest.mark.parametrize("asked", [GONE, POLICY], ids=["of an address", "of the account"])
def test_what_an_answer_asks_for_is_done_also_if_the_database_was_away_just_then(account, monkeypatch, asked):
    claimed = _past_the_fence(account, 1)
    turned = Turn(account, math.inf, lambda: False)
    monkeypatch.setattr(turned, "_feed", lambda: turned._take(_answers(claimed, [asked])))
    monkeypatch.setattr(outcomes, "follow", Once(outcomes.follow, OperationalError("away")))
    with pytest.raises(OperationalError, match="away"):
        turned.run()
    account.refresh_from_db()
    said_gone = bool(Delivery.objects.get().address.invalid_since)
    assert (said_gone, account.is_ready) == ((True, True) if asked is GONE else (False, False))


def test_a_turn_whose_people_are_all_left_out_has_an_end_too(smtp_server):
    account = an_account(smtp_server)
    start_now(a_mailing(to=contacts(40)))
    Contact.objects.all().delete()
    assert drain(account.pk, seconds=0).handled == 1


def test_a_turn_that_cannot_have_connections_leaves_no_journal_behind(account, folder, monkeypatch):
    start_now(a_mailing(to=contacts(1)))

    def too_many():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", too_many)
    with pytest.raises(OSError, match="Too many"):
        Turn(account, math.inf, lambda: False)
    assert list(folder.glob("journal-*")) == []


def test_a_mail_that_could_not_be_made_because_the_database_was_away_is_given_back(smtp_server, monkeypatch):
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(3)))

    def away(*args):
        raise OperationalError("the database system is starting up")

    monkeypatch.setattr(Prepared, "compose", away)
    with pytest.raises(OperationalError):
        drain(account.pk)
    assert set(run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}


def test_a_claim_that_a_deadlock_has_undone_is_made_again_and_counted_once(account, monkeypatch):
    start_now(a_mailing(to=contacts(3)))
    monkeypatch.setattr(claiming, "_mark", Once(claiming._mark, _deadlock()))
    taken = claiming.Counter()
    assert len(claiming.claim(account, 2, turn=taken)) == 2
    assert list(taken.values()) == [2]


@pytest.mark.parametrize("verb", ["give_back", "renew"])
def test_a_deadlock_costs_no_lease(account, monkeypatch, verb):
    start_now(a_mailing(to=contacts(3)))
    claimed = claiming.claim(account, 3)
    monkeypatch.setattr(leases, "_mine", Once(leases._mine, _deadlock()))
    assert (leases.renew(claimed, None) if verb == "renew" else leases.give_back(claimed)) == 3


@pytest.mark.only_on("postgresql")
def test_f31_a_sweep_that_a_deadlock_has_undone_is_done_again(account):
    """PostgreSQL undoes whoever has waited for a second; the sweep begins to wait first."""
    claimed = _past_the_fence(account, 3)
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    first, *_others, last = (Delivery.objects.filter(pk=one.pk).select_for_update() for one in claimed)
    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            last.get()
            swept = elsewhere.submit(_closing, sweep)
            wait_until(_somebody_waits_for_us, "the sweep waits")
            first.get()
        assert swept.result(timeout=60) == 3
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.IN_DOUBT}


def _closing(do):
    try:
        return do()
    finally:
        connection.close()


def _somebody_waits_for_us():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone() is not None


def test_mails_are_given_back_to_a_database_that_was_away_for_a_while(smtp_server, account, monkeypatch):
    run = start_now(a_mailing(to=contacts(3)))
    away = Once(leases.give_back, OperationalError("the database system is starting up"), times=3)
    monkeypatch.setattr(leases, "give_back", away)
    monkeypatch.setattr("massmail_plugin.delivery.keeping.patience.time.sleep", lambda seconds: None)
    monkeypatch.setattr(turn.Turn, "_goes_on", _once_true())
    drain(account.pk)
    assert set(run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}


def _once_true():
    """Claims, and begins nothing."""
    answers = [True]
    return lambda self: bool(answers and answers.pop())


@pytest.mark.only_on("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_task_whose_time_is_over_in_the_middle_of_a_query_still_gives_its_mails_back(account, monkeypatch):
    """The signal leaves the connection with half a conversation, and psycopg refuses to begin another on it."""
    run = start_now(a_mailing(to=contacts(3)))

    def interrupted(*args):
        connection.connection.pgconn.send_query(b"SELECT pg_sleep(60)")
        raise SystemExit("Task exceeded maximum timeout value")

    monkeypatch.setattr(fence, "commit_to_send", interrupted)
    with SmtpServer() as server:
        SenderAccount.objects.update(port=server.port)
        with pytest.raises(SystemExit):
            drain(account.pk)
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.QUEUED}
