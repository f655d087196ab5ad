"""Whatever happens in whatever order: nothing lost, nothing twice, no doubt without a reason, and an end (I1-I4).

The mail server, the database, the recipients' records and the worker itself fail at random; then they stop failing.
"""

import random
import threading
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.keeping import patience
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import fence, writing
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, Transport, Verdict
from massmail_plugin.delivery.turns import senders, supply, turn
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import OPEN, DeliveryState
from tests.builders import a_mailing, an_account, contacts, start_now

PEOPLE = 25
CONNECTIONS = 4
ROUNDS = 12
BEFORE_THE_DOT = (Verdict.TEMPORARY, Verdict.UNREACHABLE, Verdict.SLOW_DOWN, Verdict.ACCOUNT, Verdict.POLICY)


class World:
    """What goes wrong, how often, and what the mail server has got."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.is_broken = True
        #: Final dots that the server has taken, by recipient.
        self.taken = Counter()
        #: How many mails may be in doubt: answers that got lost, and workers that broke after a dot.
        self.lost_answers = 0

    def fails(self, chance):
        with self._lock:
            return self.is_broken and self._random.random() < chance

    def one_of(self, *choices):
        with self._lock:
            return self._random.choice(choices)


class Moody(Transport):
    """Fails in every way that a transport may, and in one that it may not."""

    def __init__(self, world):
        self._world = world

    def open(self):
        if self._world.fails(0.05):
            raise CannotOpen(Outcome(Verdict.UNREACHABLE, "no route to host"))

    def deliver(self, mail, fence):
        world = self._world
        if world.fails(0.15):
            return Outcome(world.one_of(*BEFORE_THE_DOT), "not now")
        if world.fails(0.02):
            raise RuntimeError("a bug before the dot")
        if not fence():
            return Outcome(Verdict.FENCED)
        if world.fails(0.05):
            return Outcome(Verdict.TEMPORARY, "451 refused at the dot")
        world.taken[mail.envelope_recipient] += 1
        if world.fails(0.05):
            world.lost_answers += 1
            return Outcome(Verdict.DOUBT, "the answer got lost")
        if world.fails(0.02):
            world.lost_answers += 1
            raise RuntimeError("a bug after the dot")
        return Outcome(Verdict.ACCEPTED, "250 Ok")

    def close(self):
        pass


@pytest.fixture(params=range(8))
def world(request, monkeypatch):
    """A world that fails, the same way for the same number as far as threads allow."""
    world = World(request.param)
    commit, write, make = fence.commit_to_send, writing.write, supply._make

    def commit_or_break(deliveries, known):
        if world.fails(0.05):
            raise OperationalError("before the commit")
        allowed = commit(deliveries, known)
        if world.fails(0.05):
            raise OperationalError("after the commit")
        return allowed

    def write_or_break(entries):
        if world.fails(0.2):
            raise OperationalError("before the commit")
        number = write(entries)
        if world.fails(0.1):
            raise OperationalError("after the commit")
        return number

    def make_or_break(*args):
        if world.fails(0.02):
            raise RuntimeError("a bug")
        if world.fails(0.02):
            # Nobody waits any more for the answers to what is on its way.
            world.lost_answers += CONNECTIONS
            raise world.one_of(SystemExit, KeyboardInterrupt)
        return make(*args)

    monkeypatch.setattr(senders, "transport_for", lambda account, desk: Moody(world))
    monkeypatch.setattr(fence, "commit_to_send", commit_or_break)
    monkeypatch.setattr(writing, "write", write_or_break)
    monkeypatch.setattr(supply, "_make", make_or_break)
    monkeypatch.setattr(turn, "_PATIENCE_SECONDS", 0)
    return world


def a_turn(account):
    """Send for a while; whatever breaks is over afterwards, and every wait has passed."""
    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr(patience.time, "sleep", lambda seconds: None)
        try:
            drain(account.pk)
        except (Exception, SystemExit, KeyboardInterrupt):
            faults.mend(account)
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.exclude(lease_until=None).update(lease_until=past)
    Delivery.objects.filter(state=DeliveryState.DEFERRED).update(next_attempt_at=past)
    SenderAccount.objects.update(state=SenderAccount.State.READY, resume_at=None, slow_per_minute=None)
    with suppress(OperationalError):  # The next one will tell what is in the journals.
        sweep()


def test_nothing_is_lost_and_nothing_is_sent_twice_whatever_happens(world):
    account = an_account(connections=CONNECTIONS)
    run = start_now(a_mailing(to=contacts(PEOPLE)))
    for _round in range(ROUNDS):
        a_turn(account)
        assert run.deliveries.count() == PEOPLE
        assert max(world.taken.values(), default=0) <= 1
    world.is_broken = False
    for _round in range(3):
        a_turn(account)
    states = Counter(run.deliveries.values_list("state", flat=True))
    assert not set(OPEN) & set(states), states
    assert max(world.taken.values()) == 1
    # Nobody counts as sent to whom nothing was sent, and what left is either known or in doubt.
    accepted = set(run.deliveries.filter(state=DeliveryState.ACCEPTED).values_list("envelope", flat=True))
    doubtful = set(run.deliveries.filter(state=DeliveryState.IN_DOUBT).values_list("envelope", flat=True))
    assert accepted <= set(world.taken)
    assert set(world.taken) <= accepted | doubtful
    assert len(doubtful) <= world.lost_answers
    # The rest has used up its attempts.
    failed = run.deliveries.filter(state=DeliveryState.FAILED)
    assert set(failed.values_list("attempts", flat=True)) <= {3}
    assert run.deliveries.filter(paced_at=None, state=DeliveryState.ACCEPTED).count() == 0
