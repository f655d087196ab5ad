"""F36: somebody migrates the database while an old worker is sending."""

from collections import Counter

import pytest
from django.db import connection

from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.invariants import check

PEOPLE = 12
UNLUCKY = "person3@customers.example"


@pytest.fixture
def run(sink):
    builders.an_account(sink)
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


def alter(change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE massmail_plugin_delivery {change}")


def rename(old: str, new: str) -> None:
    alter(f"RENAME COLUMN {old} TO {new}")


def everybody_got_one(run, sink):
    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert Counter(sink.recipients) == {f"person{n}@customers.example": 1 for n in range(1, PEOPLE + 1)}


def test_f36_a_column_that_may_be_empty_disturbs_no_old_worker(workers, sink, run):
    try:
        with sink.holding("dot", when=UNLUCKY) as held:
            old = workers.start("one_pass")
            held.wait_until_reached()
            alter("ADD COLUMN new_in_this_version varchar(10) NULL")
        old.done()
    finally:
        alter("DROP COLUMN new_in_this_version")

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f36_an_old_worker_stops_and_a_new_one_goes_on_without_a_second_mail(workers, sink, run, go_on):
    with sink.holding("dot", when=UNLUCKY) as held:
        old = workers.start("one_pass")
        held.wait_until_reached()
        rename("detail", "details")
    try:
        workers.any_ends_before(lambda: "outcomes wait for the database" in workers.said())
    finally:
        # As for a new version, to which the new name is the right one.
        rename("details", "detail")
    old.wait()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)
