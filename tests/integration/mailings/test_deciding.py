"""What becomes of mails in doubt: by a person's decision, or by themselves where the mailing says so (F10, F46)."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from wagtail.models import ModelLogEntry

from massmail_plugin.delivery.ledger import entry, writing
from massmail_plugin.mailings import actions, deciding, doubt, ending
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.mailings.verbs import Refused
from tests.builders import a_mailing, a_user, an_account, contacts, start_now

pytestmark = pytest.mark.django_db

FENCE = timezone.now() - timedelta(hours=1)


def doubtful_run(number=3, *, doubts=2, **fields):
    """Return a started mailing's run: the first mails are in doubt, the others were sent."""
    an_account()
    run = start_now(a_mailing(to=contacts(number), **fields))
    run.deliveries.update(
        state=DeliveryState.ACCEPTED, handed_at=FENCE, paced_at=FENCE, claim_token="t", attempts=1
    )
    first = run.deliveries.order_by("pk").values("pk")[:doubts]
    run.deliveries.filter(pk__in=list(first.values_list("pk", flat=True))).update(
        state=DeliveryState.IN_DOUBT, handed_at=None, doubted_at=FENCE, detail="The connection broke."
    )
    return run


def state_of(run):
    return Mailing.objects.get(pk=run.mailing_id).state


def in_doubt(run):
    return list(run.deliveries.filter(state=DeliveryState.IN_DOUBT).order_by("pk"))


def test_counted_as_sent_they_are_sent_at_the_time_of_their_fence_and_say_who_decided():
    run, user = doubtful_run(), a_user("ines")
    assert deciding.count_as_sent(run.mailing, user=user) == 2
    assert set(run.deliveries.values_list("state", "handed_at")) == {(DeliveryState.ACCEPTED, FENCE)}
    assert run.deliveries.filter(detail__contains="ines decided to count it as sent").count() == 2
    entry = ModelLogEntry.objects.for_instance(run.mailing).get(action="massmail.count_as_sent")
    assert (entry.user, entry.data["mails"], len(entry.data["deliveries"])) == (user, 2, 2)


def test_sent_again_they_wait_with_all_attempts_before_them_and_a_done_mailing_goes_on():
    run, user = doubtful_run(), a_user()
    doubtful = in_doubt(run)
    ending.finish_runs()
    assert state_of(run) == MailingState.DONE
    assert deciding.send_again(run.mailing, user=user) == 2
    assert state_of(run) == MailingState.ACTIVE
    assert Run.objects.get(pk=run.pk).finished_at is None
    waiting = run.deliveries.filter(state=DeliveryState.QUEUED)
    assert {delivery.pk for delivery in waiting} == {delivery.pk for delivery in doubtful}
    assert set(waiting.values_list("attempts", "next_attempt_at")) == {(0, None)}
    # It may have left before: proof may still come, also from the worker that was believed dead.
    assert not waiting.filter(doubted_at=None).exists()
    assert writing.write([entry.Entry(doubtful[0].pk, "t", DeliveryState.ACCEPTED, "250 ok")]) == 1
    assert ModelLogEntry.objects.for_instance(run.mailing).get(action="massmail.send_again").user == user


def test_one_of_them_is_decided_and_the_others_wait():
    run = doubtful_run(4, doubts=3)
    first, second, third = in_doubt(run)
    sent = run.deliveries.get(state=DeliveryState.ACCEPTED)
    assert deciding.count_as_sent(run.mailing, [first.pk, sent.pk]) == 1
    assert deciding.send_again(run.mailing, [second.pk, sent.pk]) == 1
    assert in_doubt(run) == [third]
    assert Delivery.objects.get(pk=sent.pk).detail == ""


def test_the_mails_of_another_mailing_are_not_touched():
    run, other = doubtful_run(), a_mailing(to=contacts(1, domain="others.example"))
    start_now(other)
    with pytest.raises(Refused):
        deciding.count_as_sent(other, [delivery.pk for delivery in in_doubt(run)])
    assert len(in_doubt(run)) == 2


@pytest.mark.parametrize("verb", [deciding.count_as_sent, deciding.send_again])
def test_a_second_press_says_that_nothing_is_left_to_decide_and_changes_nothing(verb):
    run = doubtful_run()
    verb(run.mailing)
    before = list(run.deliveries.order_by("pk").values())
    for again in (deciding.count_as_sent, deciding.send_again):
        with pytest.raises(Refused, match="not in doubt any more"):
            again(run.mailing)
    assert list(run.deliveries.order_by("pk").values()) == before
    assert ModelLogEntry.objects.for_instance(run.mailing).filter(action__contains="again").count() <= 1


def test_a_paused_mailing_stays_paused():
    run = doubtful_run()
    actions.pause(run.mailing)
    deciding.send_again(run.mailing)
    assert state_of(run) == MailingState.PAUSED


def test_of_a_cancelled_mailing_nothing_is_sent_again_but_it_may_be_called_sent():
    run = doubtful_run()
    actions.cancel(run.mailing)
    with pytest.raises(Refused, match="cancelled"):
        deciding.send_again(run.mailing)
    assert deciding.count_as_sent(run.mailing) == 2
    assert state_of(run) == MailingState.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_decide_differently_at_once_each_mail_obeys_one():
    run = doubtful_run(20, doubts=20)
    gate, done = threading.Barrier(2), []

    def decide(verb):
        gate.wait()
        try:
            done.append(verb(run.mailing))
        except Refused:
            done.append(0)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=decide, args=[verb]) for verb in (deciding.count_as_sent, deciding.send_again)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 20
    states = run.deliveries.order_by().values_list("state", flat=True).distinct()
    assert set(states) <= {DeliveryState.ACCEPTED, DeliveryState.QUEUED}


def handing(run, **fields):
    run.deliveries.update(state=DeliveryState.HANDING, handed_at=None, doubted_at=None, detail="", **fields)
    return run.deliveries.all()


def test_held_is_what_happens_unless_the_mailing_says_otherwise():
    run = doubtful_run(2, doubts=0)
    assert doubt.call_in_doubt(handing(run), "The connection broke.", now=timezone.now()) == 2
    assert set(run.deliveries.values_list("state", "detail", "next_attempt_at")) == {
        (DeliveryState.IN_DOUBT, "The connection broke.", None)
    }


def test_sent_again_by_itself_after_a_while_with_the_attempts_that_are_left():
    run, now = doubtful_run(2, doubts=0, in_doubt=Mailing.InDoubt.RESEND), timezone.now()
    doubt.call_in_doubt(handing(run, attempts=1), "The connection broke.", now=now)
    later = now + timedelta(seconds=doubt.RESEND_AFTER)
    assert set(run.deliveries.values_list("state", "attempts", "next_attempt_at", "doubted_at")) == {
        (DeliveryState.DEFERRED, 1, later, now)
    }
    doubt.call_in_doubt(handing(run, attempts=3), "The connection broke.", now=now)
    assert len(in_doubt(run)) == 2


def test_of_a_cancelled_mailing_nothing_is_sent_again_by_itself():
    run = doubtful_run(1, doubts=0, in_doubt=Mailing.InDoubt.RESEND)
    actions.cancel(run.mailing)
    doubt.call_in_doubt(handing(run, attempts=1), "The connection broke.", now=timezone.now())
    assert len(in_doubt(run)) == 1


def test_only_what_is_being_handed_over_can_come_into_doubt():
    run = doubtful_run(2, doubts=0)
    for state in set(DeliveryState) - {DeliveryState.HANDING}:
        run.deliveries.update(state=state)
        assert doubt.call_in_doubt(run.deliveries.all(), "The connection broke.", now=timezone.now()) == 0
        assert set(run.deliveries.values_list("state", flat=True)) == {state}
