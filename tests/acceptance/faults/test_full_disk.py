"""F32 on SQLite: the disk is full before a mail leaves, or when its answer comes, and has room again later."""

import resource
import signal
from collections import Counter

import pytest

from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.invariants import check

pytestmark = pytest.mark.only_on("sqlite")

PEOPLE = 12
UNLUCKY = "person3@customers.example"
#: The database's log is longer, and what a worker writes into its journal here is shorter.
FULL, PLENTY = 8192, 1 << 40


def disk_has(worker, room):
    """As far as this process can tell: a file of it may grow up to here."""
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


@pytest.fixture
def run(sink):
    builders.an_account(sink, connections=1)
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


def everybody_got_one(run, sink):
    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert Counter(sink.recipients) == {f"person{n}@customers.example": 1 for n in range(1, PEOPLE + 1)}


def test_f32_no_mail_leaves_while_the_database_cannot_grow_and_all_do_afterwards(workers, sink, run):
    worker = workers.start("until_told", largest_file=FULL)
    workers.wait_until_one_says("the next try is in 2 s")
    assert sink.mails == []
    disk_has(worker, PLENTY)
    sink.wait_for(PEOPLE)
    worker.tell(signal.SIGTERM)
    worker.done()
    workers.one_pass()

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f32_an_answer_that_the_full_database_cannot_take_is_kept(workers, sink, run, go_on):
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = workers.start("one_pass", largest_file=PLENTY)
        held.wait_until_reached()
        disk_has(worker, FULL)
    workers.wait_until_one_says("outcomes wait for the database")
    assert len(sink.mails) == 3
    disk_has(worker, PLENTY)
    worker.done()
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.ACCEPTED
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f32_a_worker_that_dies_while_the_disk_is_full_leaves_the_answer_in_its_journal(
    workers, sink, run, go_on
):
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = workers.start("one_pass", largest_file=PLENTY)
        held.wait_until_reached()
        disk_has(worker, FULL)
    workers.wait_until_one_says("outcomes wait for the database")
    worker.kill()
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.HANDING
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)
