"""Two clusters send one mailing; one of them is killed, or loses only the process that looks after the others."""

from collections import Counter
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.db.models import F

from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.running.nudges import nudge_account, nudge_tick
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import RUNNING, DeliveryState
from tests import builders
from tests.acceptance.clusters import (
    CLAIM_SIZE,
    a_cluster,
    children,
    kill_one,
    redis_server,
    using_redis,
)
from tests.acceptance.faults.invariants import check
from tests.acceptance.faults.sink import Sink
from tests.processes import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgresql"),
    pytest.mark.xdist_group("clusters"),
]

FIRST, SECOND = "first.sandbox.example", "second.sandbox.example"
#: More than one cluster fetches ahead: the rest is the other's.
TASKS = 8
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(autouse=True)
def _nudges_go_to_redis(redis, monkeypatch):
    with using_redis(redis, monkeypatch):
        yield


@pytest.fixture
def sink(tmp_path):
    (tmp_path / "sink").mkdir()
    with Sink(folder=tmp_path / "sink") as sink:
        yield sink


def sent_by(sink):
    return Counter(mail.client for mail in list(sink.mails))


def hold_both(stack, sink):
    return [stack.enter_context(sink.holding("dot", when=name)) for name in (FIRST, SECOND)]


@contextmanager
def sending_in_step(sink, mails):
    """Let each cluster send so many; within the block both wait for the answer to the last of them."""
    with ExitStack() as stack:
        held = hold_both(stack, sink)
        for _mail in range(mails - 1):
            for one in held:
                one.wait_until_reached()
            # The next ones first: between two holds a cluster would run away.
            over, held = held, hold_both(stack, sink)
            for one in over:
                one.release()
        for one in held:
            one.wait_until_reached()
        yield


def ask_for_turns(account):
    nudge_tick()
    for _task in range(TASKS):
        nudge_account(account.pk)


def a_minute_passes():
    Delivery.objects.exclude(paced_at=None).update(paced_at=F("paced_at") - MINUTE)


def all_leases_have_ended():
    return not Delivery.objects.filter(lease_until__gt=clock.now()).exists()


def has_ended(run):
    run.mailing.refresh_from_db()
    return run.mailing.state not in RUNNING


def test_two_clusters_share_a_mailing_and_one_finishes_when_the_other_is_killed(sink, redis):
    """F25, F02: each mail arrives once, and only the one that was on its way in the dead cluster is in doubt."""
    people = 300
    account = builders.an_account(sink, connections=1)
    run = builders.start_now(builders.a_mailing(to=builders.contacts(people)))
    with (
        a_cluster(FIRST, redis, lease_seconds=10) as first,
        a_cluster(SECOND, redis, lease_seconds=10) as second,
    ):
        first.wait_until_it_says("running.")
        second.wait_until_it_says("running.")
        ask_for_turns(account)
        with sending_in_step(sink, mails=30):
            by_first = sent_by(sink)[FIRST]
            first.kill()
        wait_until(lambda: not Delivery.objects.filter(state=DeliveryState.QUEUED).exists(), "no mail waits")
        wait_until(all_leases_have_ended, "all leases have ended")
        nudge_tick()
        wait_until(lambda: has_ended(run), "the mailing has ended")

    check(run, sink, people=people, doubts=1, logs=first.said() + second.said())
    assert sent_by(sink) == {FIRST: by_first, SECOND: people - by_first}
    assert by_first >= 30


def the_sentinel(cluster):
    [sentinel] = children(cluster.pid)
    return sentinel


KILLED = {"F18 the sentinel": the_sentinel, "F19 the master": lambda cluster: cluster.pid}


@pytest.mark.parametrize("victim", KILLED.values(), ids=KILLED)
def test_a_second_cluster_beside_the_orphans_of_the_first_keeps_to_the_account_s_pace(sink, redis, victim):
    """django-q2's workers live on without the processes that look after them, and keep taking tasks."""
    a_minute, people = 30, 60
    account = builders.an_account(sink, connections=1, per_minute=a_minute)
    run = builders.start_now(builders.a_mailing(to=builders.contacts(people)))
    with ExitStack() as stack:
        first = stack.enter_context(a_cluster(FIRST, redis))
        first.wait_until_it_says("running.")
        with sink.holding("dot", when=FIRST) as held:
            nudge_tick()
            held.wait_until_reached()
            kill_one(victim(first))
            first.wait_for_its_end()
            second = stack.enter_context(a_cluster(SECOND, redis))
            second.wait_until_it_says("running.")
            ask_for_turns(account)
            # All that the first one has not claimed.
            wait_until(lambda: sent_by(sink)[SECOND] == a_minute - CLAIM_SIZE, "the second cluster sends")
        wait_until(lambda: len(sink.mails) >= a_minute, "the orphan sends what it has claimed")
        # What is asked for now waits for the next minute.
        ask_for_turns(account)
        assert sent_by(sink) == {FIRST: CLAIM_SIZE, SECOND: a_minute - CLAIM_SIZE}
        a_minute_passes()
        ask_for_turns(account)
        wait_until(lambda: has_ended(run), "the mailing has ended")

    check(run, sink, people=people, logs=first.said() + second.said())
    began = sorted(Delivery.objects.filter(run=run).values_list("paced_at", flat=True))
    for earlier, later in zip(began, began[a_minute:], strict=False):
        assert later - earlier >= MINUTE
