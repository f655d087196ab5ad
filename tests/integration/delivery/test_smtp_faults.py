"""Every fault of a mail server, and what it does to the mail, the account and the others."""

from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.slowdown import LONGEST_WAIT
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.states import DeliveryState, MailingState
from tests.builders import a_mailing, an_account, contacts, start_now
from tests.smtp_server import SmtpServer


def _state_after(smtp_server, people=1):
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(people)))
    drain(account.pk)
    account.refresh_from_db()
    return run.deliveries.order_by("pk").first(), account


@pytest.mark.parametrize("place", ["RCPT", "DATA", "dot"])
@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("451 4.3.0 Try again later", DeliveryState.DEFERRED),
        ("550 5.1.1 No such mailbox", DeliveryState.FAILED),
    ],
)
def test_a_refused_mail_ends_with_its_recipient(smtp_server, place, reply, state):
    smtp_server.answer(place, reply)
    delivery, account = _state_after(smtp_server)
    assert delivery.state == state
    assert delivery.attempts == 1
    assert delivery.detail == reply
    assert account.is_ready
    assert smtp_server.mails == []


@pytest.mark.parametrize("place", ["EHLO", "MAIL"])
def test_a_connection_that_breaks_before_the_mail_is_known_uses_nobodys_attempt(smtp_server, place):
    smtp_server.hang_up(place)
    delivery, account = _state_after(smtp_server)
    assert delivery.state == DeliveryState.QUEUED
    assert delivery.attempts == 0
    assert account.is_ready
    assert account.last_fault
    smtp_server.behave()
    drain(account.pk)
    assert len(smtp_server.mails) == 1


def test_one_recipient_whose_mail_is_always_too_much_does_not_keep_the_others_waiting(smtp_server):
    """Some relays say of a recipient's domain what others say of the sender: that mails come too fast."""
    smtp_server.answer("RCPT", "450 4.7.1 Rate limit exceeded for this domain", when="person1@")
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(3)))
    drain(account.pk)
    assert smtp_server.mails == []
    slow = run.deliveries.get(email="person1@customers.example")
    assert (slow.state, slow.attempts, slow.paced_at) == (DeliveryState.DEFERRED, 0, None)
    assert slow.detail.startswith("450 4.7.1")
    first_wait = slow.next_attempt_at - timezone.now()

    SenderAccount.objects.update(resume_at=timezone.now(), slow_per_minute=60)
    drain(account.pk)
    assert sorted(smtp_server.recipients) == ["person2@customers.example", "person3@customers.example"]

    # From the second time on it waits for longer than the account ever does: in between the others go on.
    run.deliveries.filter(pk=slow.pk).update(next_attempt_at=timezone.now())
    drain(account.pk)
    slow.refresh_from_db()
    assert (slow.state, slow.attempts) == (DeliveryState.DEFERRED, 0)
    assert first_wait < LONGEST_WAIT < slow.next_attempt_at - timezone.now()
    smtp_server.behave()
    run.deliveries.filter(pk=slow.pk).update(next_attempt_at=timezone.now())
    SenderAccount.objects.update(resume_at=timezone.now(), slow_per_minute=60)
    drain(account.pk)
    assert len(smtp_server.mails) == 3


def test_a_mail_that_makes_the_server_hang_up_fails_after_three_times_and_the_others_arrive(smtp_server):
    smtp_server.hang_up("RCPT", when="person1@")
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(3)))
    for attempt in (1, 2, 3):
        drain(account.pk)
        poison = run.deliveries.get(email="person1@customers.example")
        assert poison.attempts == attempt
        run.deliveries.filter(state=DeliveryState.DEFERRED).update(next_attempt_at=run.started_at)
    assert poison.state == DeliveryState.FAILED
    assert poison.detail
    assert sorted(smtp_server.recipients) == ["person2@customers.example", "person3@customers.example"]


def test_a_connection_that_breaks_at_the_dot_leaves_one_mail_in_doubt_and_never_sends_it_again(smtp_server):
    smtp_server.hang_up("dot", when="person2@", times=1)
    account = an_account(smtp_server, connections=1)
    mailing = a_mailing(to=contacts(4))
    run = start_now(mailing)
    assert drain(account.pk).handled == 2, "A server that leaves doubts gets no more mails in this turn."
    run_tick()
    drain(account.pk)
    run_tick()
    doubtful = run.deliveries.get(state=DeliveryState.IN_DOUBT)
    assert doubtful.email == "person2@customers.example"
    assert sorted(smtp_server.recipients) == [f"person{n}@customers.example" for n in range(1, 5)]
    mailing.refresh_from_db()
    assert mailing.state == MailingState.DONE


def test_a_fault_of_the_account_stops_it_and_costs_nobody_anything(smtp_server):
    reply = "550 5.1.8 Sender not known"
    smtp_server.answer("MAIL", reply)
    delivery, account = _state_after(smtp_server, people=5)
    assert account.state == SenderAccount.State.FAULTY
    assert account.last_fault == reply
    assert set(delivery.run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}
    run_tick()
    mailing = delivery.run.mailing
    mailing.refresh_from_db()
    assert mailing.state == MailingState.INTERRUPTED
    assert "account" in mailing.notice


@pytest.mark.parametrize(
    ("place", "reply"), [("RCPT", "550 5.7.1 Relaying denied"), ("dot", "550 5.7.26 No DKIM")]
)
def test_a_refusal_for_policy_stops_the_account_and_costs_one_mail_one_attempt(smtp_server, place, reply):
    smtp_server.answer(place, reply)
    delivery, account = _state_after(smtp_server, people=5)
    assert account.state == SenderAccount.State.FAULTY
    assert account.last_fault == reply
    # Of the mails that several connections have on their way, any one may be the first to be answered.
    states = sorted(delivery.run.deliveries.values_list("state", "attempts"))
    assert states == [(DeliveryState.DEFERRED, 1), *[(DeliveryState.QUEUED, 0)] * 4]


def test_one_recipient_whose_server_wants_nothing_from_us_stops_the_others_three_times_at_most(smtp_server):
    """For example a group of Exchange's that takes no mail from outside: RFC 3463 gives it the code of a policy."""
    smtp_server.answer("RCPT", "550 5.7.129 Restricted", when="person1@")
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(3)))
    for _attempt in (1, 2, 3):
        drain(account.pk)
        run.deliveries.filter(state=DeliveryState.DEFERRED).update(next_attempt_at=run.started_at)
        faults.mend(account)
    drain(account.pk)
    assert dict(run.deliveries.values_list("email", "state")) == {
        "person1@customers.example": DeliveryState.FAILED,
        "person2@customers.example": DeliveryState.ACCEPTED,
        "person3@customers.example": DeliveryState.ACCEPTED,
    }


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("250 2.0.0 Taken", DeliveryState.ACCEPTED),
        ("252 Taken, more or less", DeliveryState.ACCEPTED),
        ("354 Go ahead", DeliveryState.IN_DOUBT),
        ("Bye", DeliveryState.IN_DOUBT),
    ],
)
def test_an_answer_to_the_dot_that_does_not_say_no_never_makes_the_mail_leave_again(
    smtp_server, reply, state
):
    smtp_server.answer("dot", reply)
    delivery, account = _state_after(smtp_server)
    assert delivery.state == state
    smtp_server.behave()
    run_tick()
    assert drain(account.pk).handled == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": "mail..example.com"}, "not the name of a server"),
        ({"username": "sales", "password": Secret.of("hünter2")}, "without accents"),
    ],
)
def test_what_cannot_be_written_to_a_server_stops_the_account_and_says_why(fields, words):
    with SmtpServer(users={"sales": "right"}) as server:
        account = an_account(server, **fields)
        start_now(a_mailing(to=contacts(2)))
        drain(account.pk)
        account.refresh_from_db()
    assert account.state == SenderAccount.State.FAULTY
    assert words in account.last_fault
    assert "nter2" not in account.last_fault


def test_a_server_that_greets_slower_than_a_turn_lasts_still_gets_mails(smtp_server):
    account = an_account(smtp_server)
    start_now(a_mailing(to=contacts(2)))
    for _turn in (1, 2):
        assert drain(account.pk, seconds=0).handled == 1
    assert len(smtp_server.mails) == 2


def test_a_busy_sender_verb_is_tried_again_without_using_attempts(smtp_server):
    smtp_server.answer("MAIL", "451 4.3.2 Busy")
    delivery, account = _state_after(smtp_server, people=3)
    assert account.is_ready
    assert delivery.state == DeliveryState.QUEUED
    assert delivery.attempts == 0


def test_a_server_that_is_down_burns_through_nothing():
    with SmtpServer() as gone:
        pass
    delivery, account = _state_after(gone, people=30)
    assert account.is_ready
    assert set(delivery.run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}


def test_a_wrong_password_stops_the_account_at_the_first_try_and_is_not_shown():
    with SmtpServer(users={"sales": "right"}) as server:
        account = an_account(server, username="sales", password=Secret.of("wrong-hunter2"))
        run = start_now(a_mailing(to=contacts(3)))
        drain(account.pk)
        account.refresh_from_db()
        assert account.state == SenderAccount.State.FAULTY
        assert "535" in account.last_fault
        assert "hunter2" not in account.last_fault
        assert drain(account.pk).handled == 0
        assert server.connections == 1
        assert run.deliveries.filter(state=DeliveryState.QUEUED).count() == 3


def test_the_right_password_sends():
    with SmtpServer(users={"sales": "right"}) as server:
        account = an_account(server, username="sales", password=Secret.of("right"))
        start_now(a_mailing(to=contacts(1)))
        drain(account.pk)
        assert len(server.mails) == 1


def test_encryption_that_the_server_lacks_is_never_skipped(smtp_server):
    account = an_account(smtp_server, username="sales", password=Secret.of("hunter2"))
    SenderAccount.objects.update(security=SenderAccount.Security.STARTTLS)
    start_now(a_mailing(to=contacts(1)))
    drain(account.pk)
    account.refresh_from_db()
    assert smtp_server.mails == []
    assert account.state == SenderAccount.State.FAULTY


def test_three_temporary_refusals_end_in_failed(smtp_server):
    smtp_server.answer("RCPT", "451 4.7.1 Greylisted")
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(1)))
    for attempt in (1, 2, 3):
        drain(account.pk)
        delivery = run.deliveries.get()
        assert delivery.attempts == attempt
        if attempt < 3:
            assert delivery.state == DeliveryState.DEFERRED
            assert drain(account.pk).handled == 0, "It has to wait for its time."
            run.deliveries.update(next_attempt_at=delivery.run.started_at)
    assert delivery.state == DeliveryState.FAILED


def test_a_server_that_takes_nothing_for_a_while_uses_up_the_attempts_of_a_few(smtp_server):
    smtp_server.answer("RCPT", "451 4.3.2 Out of order")
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(30)))
    result = drain(account.pk)
    assert (result.handled, result.stopped, result.more) == (5, "451 4.3.2 Out of order", False)
    assert run.deliveries.filter(state=DeliveryState.QUEUED, attempts=0).count() == 25


def test_a_greylisted_mail_arrives_later(smtp_server):
    smtp_server.answer("RCPT", "451 4.7.1 Greylisted", times=1)
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(1)))
    drain(account.pk)
    waiting = run.deliveries.get()
    assert (waiting.state, waiting.attempts) == (DeliveryState.DEFERRED, 1)
    assert waiting.next_attempt_at - run.started_at >= timedelta(minutes=5), (
        "Greylisting wants some patience."
    )
    drain(account.pk)
    assert smtp_server.mails == []
    run.deliveries.update(next_attempt_at=run.started_at)
    drain(account.pk)
    assert len(smtp_server.mails) == 1
    arrived = run.deliveries.get()
    assert arrived.state == DeliveryState.ACCEPTED
    assert arrived.address.invalid_since is None
    assert not arrived.events.exists(), "It is no bounce."
    assert not arrived.address.consent_events.exists()


@pytest.mark.parametrize("politely", [True, False])
def test_a_server_that_ends_the_connection_after_some_mails_is_called_again(smtp_server, politely):
    class Closing(list):
        """The second mail of each connection is refused before it begins."""

        def append(self, mail):
            super().append(mail)
            if politely:
                smtp_server.answer("MAIL", "421 4.7.0 Too many mails on one connection", times=1)
            else:
                smtp_server.hang_up("MAIL", times=1)

    smtp_server.mails = Closing()
    account = an_account(smtp_server, connections=1)
    start_now(a_mailing(to=contacts(6)))
    assert drain(account.pk).stopped == ""
    assert sorted(smtp_server.recipients) == [f"person{n}@customers.example" for n in range(1, 7)]
    assert smtp_server.connections == 6


@pytest.mark.parametrize(
    ("takes_utf8", "state"), [(False, DeliveryState.FAILED), (True, DeliveryState.ACCEPTED)]
)
def test_letters_before_the_at_leave_only_where_the_server_takes_them(smtp_server, takes_utf8, state):
    smtp_server.takes_utf8 = takes_utf8
    account = an_account(smtp_server)
    people = contacts(2)
    type(people[0]).objects.filter(pk=people[0].pk).update(email="jürgen@customers.example")
    run = start_now(a_mailing(to=people))
    drain(account.pk)
    assert dict(run.deliveries.values_list("email", "state")) == {
        "jürgen@customers.example": state,
        "person2@customers.example": DeliveryState.ACCEPTED,
    }
    assert smtp_server.recipients.count("jürgen@customers.example") == takes_utf8
    for mail in smtp_server.mails_to("jürgen@customers.example"):
        assert "<jürgen@customers.example>".encode() in mail.content
