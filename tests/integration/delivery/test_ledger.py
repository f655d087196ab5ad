"""Claims, leases and the fence, without any mail server: nobody twice, nothing forgotten."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from massmail_plugin.accounts import faults
from massmail_plugin.accounts.slowing import slow_down
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import claiming, fence, leases, routes, writing
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.mailings.verbs import Refused
from tests.builders import a_mailing, a_user, an_account, contacts, start_now


@pytest.fixture
def account():
    return an_account()


def _expire():
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_workers_that_claim_at_once_get_different_mails(account):
    start_now(a_mailing(to=contacts(60)))
    claimed, barrier = [], threading.Barrier(4)

    def work():
        try:
            barrier.wait()
            while mine := claiming.claim(account, 7):
                claimed.extend(delivery.pk for delivery in mine)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 60
    assert len(set(claimed)) == 60


def test_a_dead_workers_claims_are_queued_again_and_attempts_count_of_those_it_may_have_died_of():
    account = an_account(connections=1)
    start_now(a_mailing(to=contacts(6)))
    claiming.claim(account, 5)
    assert sweep() == 0
    _expire()
    assert sweep() == 5
    assert set(Delivery.objects.values_list("state", "paced_at")) == {(DeliveryState.QUEUED, None)}
    # One on its way, one made ahead, one being made: the others cannot have killed the worker.
    assert list(Delivery.objects.order_by("pk").values_list("attempts", flat=True)) == [1, 1, 1, 0, 0, 0]


def test_the_second_death_has_one_suspect():
    account = an_account(connections=4)
    start_now(a_mailing(to=contacts(20)))
    for _death in (1, 2):
        claiming.claim(account, 20)
        _expire()
        sweep()
    attempts = list(Delivery.objects.order_by("pk").values_list("attempts", flat=True))
    assert attempts == [2] + [1] * 8 + [0] * 11


def test_a_mail_that_kills_each_worker_is_given_up(account):
    start_now(a_mailing(to=contacts(1)))
    for _attempt in range(3):
        assert claiming.claim(account, 1)
        _expire()
        sweep()
    assert Delivery.objects.get().state == DeliveryState.FAILED
    assert claiming.claim(account, 1) == []


@pytest.mark.parametrize("refusals", [0, 1, 2])
def test_a_mail_has_no_more_attempts_than_it_is_allowed_whoever_dies_in_between(account, refusals):
    """A worker that dies in a mail's last attempt leaves it that attempt: the server has not answered it."""
    start_now(a_mailing(to=contacts(1)))
    for _refusal in range(refusals):
        (delivery,) = claiming.claim(account, 1)
        refused = Outcome(Verdict.TEMPORARY, "451 Later")
        assert writing.write([outcomes.entry_for(delivery, refused)])
        Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    deaths = 0
    while claiming.claim(account, 1):
        _expire()
        sweep()
        deaths += 1
    delivery = Delivery.objects.get()
    assert delivery.state == DeliveryState.FAILED
    assert delivery.attempts == 3
    assert deaths == {0: 3, 1: 2, 2: 2}[refusals]


@pytest.mark.parametrize("past_the_fence", [False, True])
def test_workers_that_die_use_up_no_attempts_of_mails_whose_turn_had_not_come(account, past_the_fence):
    start_now(a_mailing(to=contacts(20)))
    for _kill in range(6):
        claimed = claiming.claim(account, 20)
        if past_the_fence:
            assert fence.commit_to_send([claimed[0]])
        _expire()
        sweep()
    ended = DeliveryState.IN_DOUBT if past_the_fence else DeliveryState.FAILED
    assert Delivery.objects.filter(state=ended).count() == (6 if past_the_fence else 2)
    assert not Delivery.objects.exclude(state__in=[ended, DeliveryState.QUEUED]).exists()


def test_a_worker_that_dies_past_the_fence_leaves_a_doubt_and_nothing_is_sent_again(account):
    start_now(a_mailing(to=contacts(1)))
    (delivery,) = claiming.claim(account, 1)
    assert fence.commit_to_send([delivery])
    _expire()
    sweep()
    assert Delivery.objects.get().state == DeliveryState.IN_DOUBT
    assert claiming.claim(account, 1) == []


def test_a_worker_that_wakes_up_late_cannot_send(account):
    start_now(a_mailing(to=contacts(1)))
    (stalled,) = claiming.claim(account, 1)
    _expire()
    assert not fence.commit_to_send([stalled]), "The lease is over, even before anybody has noticed."
    sweep()
    (other,) = claiming.claim(account, 1)
    assert not fence.commit_to_send([stalled]), "The mail is another worker's."
    assert fence.commit_to_send([other])


def test_nobody_passes_the_fence_twice(account):
    start_now(a_mailing(to=contacts(1)))
    (delivery,) = claiming.claim(account, 1)
    assert fence.commit_to_send([delivery])
    assert not fence.commit_to_send([delivery])


def test_nothing_passes_the_fence_while_the_server_wants_us_to_wait(account):
    """Another worker's connection has heard it; this one was on its way."""
    start_now(a_mailing(to=contacts(2)))
    claimed = claiming.claim(account, 2)
    slow_down(account.pk, timezone.now(), sent_last_minute=10)
    assert fence.commit_to_send(claimed) == set()
    type(account).objects.update(resume_at=timezone.now() - timedelta(seconds=1))
    assert len(fence.commit_to_send(claimed)) == 2


def test_a_late_answer_settles_a_doubt(account):
    start_now(a_mailing(to=contacts(1)))
    (delivery,) = claiming.claim(account, 1)
    fence.commit_to_send([delivery])
    _expire()
    sweep()
    assert writing.write([Entry(delivery.pk, delivery.claim_token, DeliveryState.ACCEPTED)])
    assert Delivery.objects.get().state == DeliveryState.ACCEPTED


def test_giving_back_never_touches_a_mail_that_may_be_on_its_way(account):
    start_now(a_mailing(to=contacts(2)))
    first, second = claiming.claim(account, 2)
    fence.commit_to_send([first])
    assert leases.give_back([first, second]) == 1
    assert Delivery.objects.get(pk=first.pk).state == DeliveryState.HANDING
    assert Delivery.objects.get(pk=second.pk).state == DeliveryState.QUEUED
    assert Delivery.objects.get(pk=second.pk).attempts == 0


def test_the_fence_is_committed_before_the_dot(account):
    start_now(a_mailing(to=contacts(1)))
    (delivery,) = claiming.claim(account, 1)
    fence.commit_to_send([delivery])
    seen = []

    def look_from_outside():
        try:
            seen.append(Delivery.objects.get(pk=delivery.pk).state)
        finally:
            connections.close_all()

    thread = threading.Thread(target=look_from_outside)
    thread.start()
    thread.join()
    assert not connection.in_atomic_block
    assert seen == [DeliveryState.HANDING]


def test_a_paused_or_cancelled_mailing_does_not_pass_the_fence(account):
    mailing = a_mailing(to=contacts(2))
    start_now(mailing)
    first, second = claiming.claim(account, 2)
    actions.pause(mailing)
    assert not fence.commit_to_send([first])
    actions.resume(mailing)
    assert fence.commit_to_send([first])
    actions.cancel(mailing)
    assert not fence.commit_to_send([second])


def test_an_owners_mailing_leaves_through_the_owners_account_only():
    owner, other = a_user(), a_user()
    own, foreign, shared = an_account(owner=owner), an_account(owner=other), an_account()
    start_now(a_mailing(to=contacts(1), through=own))
    assert routes.has_work(own)
    assert not routes.has_work(foreign)
    assert not routes.has_work(shared)


def test_everybodys_account_serves_an_owner_who_has_none():
    shared = an_account()
    start_now(a_mailing(to=contacts(1), owner=a_user()))
    assert routes.has_work(shared)


@pytest.mark.parametrize("gone", ["stopped", "deleted", "with its owner"])
def test_a_run_never_goes_on_from_another_address_by_itself(gone):
    """Its mails came from the owner so far: whether the rest may come from everybody's account, a person says."""
    owner = a_user()
    own, shared = an_account(owner=owner), an_account()
    mailing = a_mailing(to=contacts(2), through=own)
    start_now(mailing)
    if gone == "stopped":
        faults.stop(own, "535 Wrong password")
    else:
        (own if gone == "deleted" else owner).delete()
    assert not routes.has_work(shared)
    assert run_tick() == []
    mailing.refresh_from_db()
    assert mailing.state == MailingState.INTERRUPTED
    if gone == "stopped":
        with pytest.raises(Refused, match="account"):
            actions.resume(mailing)
    else:
        actions.resume(mailing)
        assert routes.has_work(shared)


def test_an_account_that_comes_later_does_not_take_over_a_run():
    owner = a_user()
    shared = an_account()
    start_now(a_mailing(to=contacts(1), owner=owner))
    own = an_account(owner=owner)
    assert routes.has_work(shared)
    assert not routes.has_work(own)


def test_claims_take_the_same_number_of_queries_for_any_number_of_mails(account, django_assert_num_queries):
    from django.test.utils import CaptureQueriesContext

    start_now(a_mailing(to=contacts(60)))
    with CaptureQueriesContext(connection) as few:
        claiming.claim(account, 20)
    with CaptureQueriesContext(connection) as many:
        claiming.claim(account, 40)
    assert len(few) == len(many)


def test_claims_given_back_after_a_cancel_are_cancelled_too(account):
    mailing = a_mailing(to=contacts(3))
    start_now(mailing)
    claimed = claiming.claim(account, 2)
    actions.cancel(mailing)
    leases.give_back(claimed)
    sweep()
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.CANCELLED}


def test_a_lease_that_has_run_out_is_not_renewed(account):
    """Its mail counts against the limits no more, so that nobody may take it up again without a claim."""
    start_now(a_mailing(to=contacts(2)))
    late, alive = claiming.claim(account, 2)
    Delivery.objects.filter(pk=late.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    before = dict(Delivery.objects.values_list("pk", "lease_until"))
    assert leases.renew([late, alive], None) == 1
    after = dict(Delivery.objects.values_list("pk", "lease_until"))
    assert after[late.pk] == before[late.pk]
    assert after[alive.pk] > before[alive.pk]
