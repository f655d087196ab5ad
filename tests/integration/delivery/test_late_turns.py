"""F26: a turn sleeps past its lease, its mails are queued again, and it wakes up and claims the same ones anew."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.keeping.patience import Patience
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import claiming
from massmail_plugin.delivery.transports.base import Outcome, Transport, Verdict
from massmail_plugin.delivery.turns import senders
from massmail_plugin.delivery.turns.events import Asks, Job
from massmail_plugin.delivery.turns.senders import Crew
from massmail_plugin.delivery.turns.turn import Turn
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.models import Delivery
from tests.builders import a_mailing, an_account, contacts, start_now, states_by_address

pytestmark = pytest.mark.django_db(transaction=True)


class Taking(Transport):
    """Takes every mail."""

    def __init__(self, taken):
        self._taken = taken

    def open(self):
        pass

    def deliver(self, mail, fence):
        if not fence():
            return Outcome(Verdict.FENCED)
        self._taken.append(mail.envelope_recipient)
        return Outcome(Verdict.ACCEPTED, "250 Ok")

    def close(self):
        pass


@pytest.fixture
def taken(monkeypatch):
    taken = []
    monkeypatch.setattr(senders, "transport_for", lambda account, desk: Taking(taken))
    return taken


def _sleep():
    Delivery.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))
    return sweep()


@pytest.fixture
def sleepy(monkeypatch):
    """The first time that a turn waits for its connections it sleeps for longer than its lease."""
    listen, slept = Crew.listen, []

    def listen_late(crew, seconds):
        if crew.busy and not slept:
            Delivery.objects.exclude(lease_until=None).update(
                lease_until=timezone.now() - timedelta(seconds=1)
            )
            slept.append(sweep())
        return listen(crew, seconds)

    monkeypatch.setattr(Crew, "listen", listen_late)
    return slept


@pytest.mark.parametrize(("number", "connections"), [(3, 1), (6, 4), (30, 4)])
def test_a_turn_that_claims_again_what_it_has_lost_breaks_nothing(taken, sleepy, number, connections):
    account = an_account(connections=connections)
    run = start_now(a_mailing(to=contacts(number)))
    for _turn in range(4):
        drain(account.pk)
    assert sleepy != [0]
    assert set(states_by_address(run).values()) == {"accepted"}
    assert len(taken) == len(set(taken)) == number
    assert SenderAccount.objects.get().last_fault == ""


class Asking:
    """A connection that stands at the fence with one claim of a mail."""

    def __init__(self):
        self.answers = []

    def answer(self, may_send):
        self.answers.append(may_send)


def test_of_two_claims_of_one_mail_that_stand_at_the_fence_together_one_passes():
    account = an_account()
    start_now(a_mailing(to=contacts(1)))
    (lost,) = claiming.claim(account, 1)
    _sleep()
    (anew,) = claiming.claim(account, 1)
    first, second = Asking(), Asking()
    turn = Turn(account, math.inf, lambda: False)
    turn._gate.admit([Asks(first, Job(lost, None)), Asks(second, Job(anew, None))])
    turn._gate.answer()
    turn._records.close(Patience(0))
    assert (first.answers, second.answers) == ([False], [True])
