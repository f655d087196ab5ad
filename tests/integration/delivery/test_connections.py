"""A turn with several connections: everybody once, whatever happens to one of them or to the turn."""

import threading
from collections import Counter

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.keeping import epoch, patience
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import fence, leases, writing
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, Verdict
from massmail_plugin.delivery.transports.smtp import SmtpTransport
from massmail_plugin.delivery.turns import senders, supply, turn
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from tests.builders import a_mailing, an_account, contacts, start_now, states_by_address


class Leaves(BaseException):
    """What django-q2 raises in a worker whose task is out of time is a SystemExit: no Exception."""


@pytest.fixture
def account(smtp_server):
    return an_account(smtp_server, connections=4)


def states(run):
    return Counter(run.deliveries.values_list("state", flat=True))


def test_two_workers_with_many_connections_share_a_mailing_and_no_mail(smtp_server):
    account = an_account(smtp_server, connections=8)
    run = start_now(a_mailing(to=contacts(300)))
    # Two at once that see the database for the first time would take it for another one than the last test's.
    assert epoch.may_send()
    handled = []

    def work():
        try:
            handled.append(drain(account.pk, seconds=60).handled)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    drain(account.pk)
    assert Counter(smtp_server.recipients) == {f"person{n}@customers.example": 1 for n in range(1, 301)}
    assert states(run) == {DeliveryState.ACCEPTED: 300}
    assert min(handled) > 0


def test_there_are_never_more_connections_than_mails(smtp_server, account):
    start_now(a_mailing(to=contacts(2)))
    drain(account.pk)
    assert len(smtp_server.mails) == 2
    assert smtp_server.connections <= 2


def test_a_server_that_allows_fewer_connections_gets_fewer(smtp_server, account):
    class OnlyTwo(list):
        def append(self, mail):
            smtp_server.answer("EHLO", "421 4.3.2 Too many connections")
            super().append(mail)

    smtp_server.mails = OnlyTwo()
    run = start_now(a_mailing(to=contacts(30)))
    result = drain(account.pk)
    assert result.stopped == ""
    assert states(run) == {DeliveryState.ACCEPTED: 30}


def test_a_server_that_wants_fewer_mails_and_says_so_to_one_more_connection_is_obeyed(
    smtp_server, account, monkeypatch
):
    opened, transport_for = [], senders.transport_for

    def first_only(account, desk):
        transport = transport_for(account, desk)
        opened.append(transport)
        if len(opened) > 1:
            monkeypatch.setattr(transport, "open", refused)
        return transport

    def refused():
        raise CannotOpen(Outcome(Verdict.SLOW_DOWN, "421 4.7.28 Unusual rate of mail"))

    monkeypatch.setattr(senders, "transport_for", first_only)
    start_now(a_mailing(to=contacts(30)))
    assert "Unusual rate" in drain(account.pk).stopped
    account.refresh_from_db()
    assert account.resume_at is not None


def test_one_connection_that_breaks_ends_the_turn_and_the_others_finish_their_mails(smtp_server, account):
    class Breaks(list):
        def append(self, mail):
            super().append(mail)
            if len(self) == 5:
                smtp_server.hang_up("MAIL")

    smtp_server.mails = Breaks()
    run = start_now(a_mailing(to=contacts(40)))
    result = drain(account.pk)
    assert result.stopped
    assert not result.more
    assert set(run.deliveries.filter(state=DeliveryState.QUEUED).values_list("attempts")) == {(0,)}
    assert states(run) == {
        DeliveryState.ACCEPTED: len(smtp_server.mails),
        DeliveryState.QUEUED: 40 - len(smtp_server.mails),
    }


def test_a_refusal_for_policy_costs_one_attempt_however_many_hear_it(smtp_server, account):
    smtp_server.answer("RCPT", "550 5.7.1 Relaying denied")
    run = start_now(a_mailing(to=contacts(20)))
    drain(account.pk)
    account.refresh_from_db()
    assert account.state == SenderAccount.State.FAULTY
    assert sum(run.deliveries.values_list("attempts", flat=True)) == 1


def test_a_complaint_about_speed_uses_no_attempt_and_the_account_waits(smtp_server, account):
    smtp_server.answer("RCPT", "421 4.7.28 Unusual rate of mail")
    run = start_now(a_mailing(to=contacts(20)))
    assert drain(account.pk).stopped
    account.refresh_from_db()
    assert account.is_ready
    assert account.resume_at is not None
    waits = run.deliveries.filter(state=DeliveryState.DEFERRED, next_attempt_at__gt=timezone.now()).count()
    assert 1 <= waits <= account.connections, "Those of whom the server has said it let others go first."
    assert run.deliveries.filter(state=DeliveryState.QUEUED).count() == 20 - waits
    assert set(run.deliveries.values_list("attempts", "paced_at")) == {(0, None)}
    smtp_server.behave()
    assert drain(account.pk, seconds=0).handled == 0, "The server has asked for a pause."


def test_an_address_whose_mailbox_does_not_exist_is_mailed_to_no_more(smtp_server, account):
    smtp_server.answer("RCPT", "550 5.1.1 No such user", when="person2@")
    run = start_now(a_mailing(to=contacts(3)))
    drain(account.pk)
    gone = run.deliveries.get(email="person2@customers.example")
    assert gone.state == DeliveryState.FAILED
    assert gone.address.invalid_since
    event = gone.address.consent_events.get()
    assert (event.kind, event.method) == ("invalid", "server")
    assert "No such user" in event.reason
    assert run.deliveries.exclude(address__invalid_since=None).count() == 1


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, Leaves, RuntimeError])
def test_whatever_ends_a_turn_mails_that_were_not_tried_are_given_back(
    smtp_server, account, monkeypatch, error
):
    """The mail that was being made keeps its attempt: it may have been the reason."""
    make, made = supply._make, []

    def breaks_at_the_tenth(*args):
        made.append(args[-1])
        if len(made) == 10:
            raise error("the end")
        return make(*args)

    monkeypatch.setattr(supply, "_make", breaks_at_the_tenth)
    run = start_now(a_mailing(to=contacts(40)))
    with pytest.raises(error):
        drain(account.pk)
    culprit = run.deliveries.get(state=DeliveryState.CLAIMED)
    assert (culprit.pk, culprit.attempts) == (made[-1].pk, 1)
    others = run.deliveries.exclude(pk=culprit.pk)
    assert set(others.filter(state=DeliveryState.QUEUED).values_list("attempts", "paced_at")) == {(0, None)}
    left = others.exclude(state=DeliveryState.QUEUED)
    # Past the fence when the end came: written down, or left to the sweeper.
    assert set(left.values_list("state", flat=True)) <= {DeliveryState.ACCEPTED, DeliveryState.HANDING}
    if error is RuntimeError:
        assert left.count() == len(smtp_server.mails) == states(run)[DeliveryState.ACCEPTED]


def test_a_transport_that_raises_what_it_must_not_ends_the_turn_and_loses_nothing(
    smtp_server, account, monkeypatch
):
    delivering = SmtpTransport.delivering

    def breaks(self, mail):
        if mail.envelope_recipient.startswith("person3@"):
            raise RuntimeError("a bug")
        return (yield from delivering(self, mail))

    monkeypatch.setattr(SmtpTransport, "delivering", breaks)
    run = start_now(a_mailing(to=contacts(20)))
    with pytest.raises(RuntimeError):
        drain(account.pk)
    assert run.deliveries.get(email="person3@customers.example").state == DeliveryState.CLAIMED
    assert states(run)[DeliveryState.ACCEPTED] == len(smtp_server.mails)
    assert states(run)[DeliveryState.QUEUED] == 19 - len(smtp_server.mails)
    account.refresh_from_db()
    assert "a bug" in account.last_fault


@pytest.mark.parametrize("was_committed", [True, False])
def test_a_fence_that_the_database_did_not_answer_sends_nothing(
    smtp_server, account, monkeypatch, was_committed
):
    commit = fence.commit_to_send

    def unanswered(deliveries, known):
        if was_committed:
            commit([Delivery.objects.get(pk=delivery.pk) for delivery in deliveries])
        raise OperationalError("server closed the connection unexpectedly")

    run = start_now(a_mailing(to=contacts(10)))
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(fence, "commit_to_send", unanswered)
        with pytest.raises(OperationalError):
            drain(account.pk)
    assert smtp_server.mails == []
    assert set(run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}
    drain(account.pk)
    assert len(set(smtp_server.recipients)) == len(smtp_server.mails) == 10


def test_a_database_that_is_away_after_the_answers_is_waited_for(smtp_server, account, monkeypatch):
    write, failures = writing.write, []

    def away_for_a_while(entries):
        if len(failures) < 3:
            failures.append(1)
            raise OperationalError("the database system is starting up")
        return write(entries)

    monkeypatch.setattr(writing, "write", away_for_a_while)
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)
    run = start_now(a_mailing(to=contacts(3)))
    with pytest.raises(OperationalError):
        drain(account.pk)
    assert states(run)[DeliveryState.ACCEPTED] == len(smtp_server.mails)
    assert DeliveryState.HANDING not in states(run)


def test_what_the_database_never_heard_is_told_by_the_journal(smtp_server, account, monkeypatch):
    def away(entries):
        raise OperationalError("no route to host")

    run = start_now(a_mailing(to=contacts(3)))
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(writing, "write", away)
        meanwhile.setattr(turn, "_PATIENCE_SECONDS", 0)
        with pytest.raises(OperationalError):
            drain(account.pk)
    assert states(run)[DeliveryState.HANDING] == len(smtp_server.mails) > 0
    sweep()
    assert states(run)[DeliveryState.ACCEPTED] == len(smtp_server.mails)
    drain(account.pk)
    assert Counter(smtp_server.recipients) == {f"person{n}@customers.example": 1 for n in (1, 2, 3)}


def test_a_turn_that_cannot_keep_a_journal_sends_nothing_and_says_why(
    smtp_server, account, settings, tmp_path
):
    (tmp_path / "file").write_text("")
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path / "file")}
    run = start_now(a_mailing(to=contacts(3)))
    assert "JOURNAL_DIR" in drain(account.pk).stopped
    account.refresh_from_db()
    assert account.is_ready
    assert "JOURNAL_DIR" in account.last_fault
    assert smtp_server.connections == 0
    assert states(run) == {DeliveryState.QUEUED: 3}


def test_a_turn_that_is_told_to_stop_begins_no_mail_and_finishes_those_on_their_way(smtp_server, account):
    run = start_now(a_mailing(to=contacts(60)))
    result = drain(account.pk, stop=lambda: len(smtp_server.mails) >= 5)
    assert 5 <= result.handled < 60
    assert result.handled == len(smtp_server.mails) == states(run)[DeliveryState.ACCEPTED]
    assert states(run)[DeliveryState.QUEUED] == 60 - result.handled


def test_a_suspect_is_sent_while_nothing_else_is(smtp_server, account):
    """If it kills its worker again, no other can have been the reason."""
    run = start_now(a_mailing(to=contacts(12)))
    suspect = run.deliveries.get(email="person6@customers.example")
    run.deliveries.filter(pk=suspect.pk).update(attempts=1)
    with smtp_server.holding("RCPT", when="person6@") as held:
        worker = threading.Thread(target=lambda: (drain(account.pk), connections.close_all()))
        worker.start()
        held.wait_until_reached()
        assert smtp_server.mails == []
        assert run.deliveries.filter(state=DeliveryState.CLAIMED).count() == 12
        held.release()
        worker.join()
    assert states_by_address(run) == {f"person{n}@customers.example": "accepted" for n in range(1, 13)}


def test_a_lease_is_renewed_while_its_mail_waits_for_the_server(smtp_server, account, settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "LEASE_SECONDS": 6}
    run = start_now(a_mailing(to=contacts(1)))
    renewed, renew = threading.Event(), leases.renew

    def seen(*args):
        number = renew(*args)
        renewed.set()
        return number

    with pytest.MonkeyPatch.context() as patch, smtp_server.holding("dot") as held:
        patch.setattr(leases, "renew", seen)
        worker = threading.Thread(target=lambda: (drain(account.pk), connections.close_all()))
        worker.start()
        held.wait_until_reached()
        before = run.deliveries.get()
        renewed.clear()
        assert renewed.wait(60)
        after = run.deliveries.get()
        held.release()
        worker.join()
    assert before.lease_until < after.lease_until
    assert before.paced_at == after.paced_at, "It counts from its fence on."
    assert run.deliveries.get().state == DeliveryState.ACCEPTED
