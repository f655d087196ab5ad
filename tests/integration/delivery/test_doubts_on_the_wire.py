"""Doubts that come from a real server: held or sent again, in doubt or too big (F46, F54, F57)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings import deciding
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState
from tests.builders import a_mailing, an_account, contacts, start_now


def _send_until_it_rests(account, turns=4):
    """Take some turns; who waits for another attempt has waited long enough before each."""
    for _turn in range(turns):
        Delivery.objects.exclude(next_attempt_at=None).update(
            next_attempt_at=timezone.now() - timedelta(seconds=1)
        )
        run_tick()
        drain(account.pk)
    run_tick()


def _copies(smtp_server):
    """Return, for each recipient, the Message-IDs of the copies that the server has taken."""
    found = {}
    for mail in smtp_server.mails:
        found.setdefault(mail.recipients[0], []).append(mail.message["Message-ID"])
    return found


def test_f46_resend_sends_it_again_under_the_same_message_id_until_the_answer_comes(smtp_server):
    """The server keeps the mail and hangs up instead of answering, once."""
    smtp_server.hang_up("dot", when="person2@", times=1)
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(3), in_doubt=Mailing.InDoubt.RESEND))
    drain(account.pk)
    waiting = run.deliveries.get(state=DeliveryState.DEFERRED)
    assert waiting.doubted_at is not None
    assert waiting.next_attempt_at > timezone.now()
    _send_until_it_rests(account)
    copies = _copies(smtp_server)
    assert [len(copies[f"person{n}@customers.example"]) for n in (1, 2, 3)] == [1, 2, 1]
    assert len(set(copies["person2@customers.example"])) == 1
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.ACCEPTED}
    assert Mailing.objects.get().state == MailingState.DONE


def test_f46_resend_ends_in_doubt_when_the_attempts_are_used_up(smtp_server):
    smtp_server.hang_up("dot")
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(1), in_doubt=Mailing.InDoubt.RESEND))
    _send_until_it_rests(account, turns=6)
    assert len(smtp_server.mails) == 3
    delivery = run.deliveries.get()
    assert (delivery.state, delivery.attempts) == (DeliveryState.IN_DOUBT, 3)
    assert Mailing.objects.get().state == MailingState.DONE


def test_f46_held_until_a_person_says_send_again(smtp_server):
    smtp_server.hang_up("dot", times=1)
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(1)))
    _send_until_it_rests(account)
    assert len(smtp_server.mails) == 1
    assert run.deliveries.get().state == DeliveryState.IN_DOUBT
    deciding.send_again(run.mailing)
    _send_until_it_rests(account)
    (copies,) = _copies(smtp_server).values()
    assert len(copies) == 2
    assert len(set(copies)) == 1
    assert run.deliveries.get().state == DeliveryState.ACCEPTED
    assert Mailing.objects.get().state == MailingState.DONE


@pytest.mark.parametrize("place", ["MAIL", "dot"])
def test_f54_a_mailing_that_is_too_big_is_paused_with_the_reason_and_nobody_fails(smtp_server, place):
    smtp_server.answer(place, "552 5.3.4 Message too big for system")
    account = an_account(smtp_server, connections=2)
    run = start_now(a_mailing(to=contacts(5)))
    _send_until_it_rests(account, turns=2)
    mailing = Mailing.objects.get()
    assert mailing.state == MailingState.PAUSED
    assert "552 5.3.4 Message too big for system" in mailing.notice
    assert "smaller template" in mailing.notice
    assert set(run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}
    assert smtp_server.mails == []
