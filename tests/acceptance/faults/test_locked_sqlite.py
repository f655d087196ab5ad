"""F30: another program holds SQLite's write lock for longer than anybody wants to wait."""

import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from django.db import connection

from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.invariants import check

pytestmark = pytest.mark.only_on("sqlite")

PEOPLE = 12
UNLUCKY = "person3@customers.example"


@pytest.fixture(autouse=True)
def _impatient():
    """Workers wait for the lock for a tenth of a second, and not for half a minute."""
    options = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**options, "timeout": 0.1}
    yield
    connection.settings_dict["OPTIONS"] = options


@pytest.fixture
def run(sink):
    builders.an_account(sink, connections=1)
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


@contextmanager
def somebody_else_writing() -> Iterator[None]:
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def everybody_got_one(run, sink):
    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert Counter(sink.recipients) == {f"person{n}@customers.example": 1 for n in range(1, PEOPLE + 1)}


def test_f30_a_worker_waits_for_the_lock_and_then_claims(workers, sink, run):
    with somebody_else_writing():
        worker = workers.start("until_told")
        workers.wait_until_one_says("The database is away")
        assert sink.mails == []
    sink.wait_for(PEOPLE)
    worker.tell(signal.SIGTERM)
    worker.done()

    workers.one_pass()
    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f30_an_answer_is_written_down_when_the_lock_is_free(workers, sink, run, go_on):
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = workers.start("one_pass")
        held.wait_until_reached()
        with somebody_else_writing():
            held.release()
            workers.wait_until_one_says("outcomes wait for the database")
    worker.wait()
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.ACCEPTED
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)
