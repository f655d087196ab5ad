"""F28, F29: PostgreSQL is killed at every step of a mail, or is away for a while."""

import signal
from collections import Counter

import pytest

from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.failpoints import Failpoint
from tests.acceptance.faults.invariants import check
from tests.acceptance.faults.own_postgresql import OwnPostgresql, programs

pytestmark = [pytest.mark.only_on("postgresql"), pytest.mark.xdist_group("killed PostgreSQL")]

PEOPLE = 12
UNLUCKY = "person3@customers.example"


@pytest.fixture(scope="module", autouse=True)
def postgresql(django_db_setup):
    """All tests of this module, and their workers, use a server of their own."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's own programs (initdb, pg_ctl) are not on this machine.")
    with OwnPostgresql(folder) as server:
        yield server


@pytest.fixture
def run(sink):
    builders.an_account(sink, connections=1)
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


def everybody_got_one(run, sink):
    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert Counter(sink.recipients) == {f"person{n}@customers.example": 1 for n in range(1, PEOPLE + 1)}


PHASES = {
    "while the mail is made": Failpoint(
        "massmail_plugin.delivery.mails.prepared:Prepared.compose", nth=3, fault="stopped"
    ),
    "at the fence": Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send", nth=3, fault="stopped"),
    "when outcomes are written": Failpoint("massmail_plugin.delivery.ledger.writing:write", fault="stopped"),
}


@pytest.mark.parametrize("phase", PHASES.values(), ids=PHASES)
def test_f28_killed_and_started_again_loses_nothing_and_sends_nothing_twice(
    workers, sink, run, go_on, postgresql, phase
):
    worker = workers.start("one_pass", phase)
    worker.wait_until_stopped()
    postgresql.kill()
    postgresql.start()
    worker.tell(signal.SIGCONT)
    worker.wait()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f28_killed_at_the_fence_no_dot_leaves(workers, sink, run, go_on, postgresql):
    with postgresql.away_after(workers.start("one_pass", PHASES["at the fence"])) as worker:
        sent_before = len(sink.mails)
        worker.tell(signal.SIGCONT)
        workers.wait_until_one_says("outcomes wait for the database")
        assert len(sink.mails) == sent_before
    worker.wait()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f28_killed_at_the_dot_the_answer_is_kept_until_the_database_is_back(
    workers, sink, run, go_on, postgresql
):
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = workers.start("one_pass")
        held.wait_until_reached()
        postgresql.kill()
    try:
        # It has the answer and nowhere to write it.
        workers.wait_until_one_says("outcomes wait for the database")
    finally:
        postgresql.start()
    worker.wait()
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.ACCEPTED
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f28_the_worker_dies_too_while_the_database_is_away(workers, sink, run, go_on, postgresql):
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = workers.start("one_pass")
        held.wait_until_reached()
        postgresql.kill()
    try:
        workers.wait_until_one_says("outcomes wait for the database")
        worker.kill()
    finally:
        postgresql.start()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f29_a_worker_waits_for_the_database_without_spinning_and_goes_on_alone(
    workers, sink, run, postgresql
):
    postgresql.kill()
    try:
        worker = workers.start("until_told")
        workers.wait_until_one_says("the next try is in 2 s")
    finally:
        postgresql.start()
    sink.wait_for(PEOPLE)
    worker.tell(signal.SIGTERM)
    worker.done()

    assert workers.said().count("The database is away") <= 4
    workers.one_pass()
    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)
