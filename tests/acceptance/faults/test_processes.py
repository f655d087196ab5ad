"""F21-F27: mails that kill their workers, tasks that run twice, time-outs, signals, workers that fall asleep."""

import signal
from collections import Counter

import pytest

from massmail_plugin.mailings.states import DeliveryState, MailingState
from tests import builders
from tests.acceptance.faults.conftest import time_passes
from tests.acceptance.faults.failpoints import Failpoint
from tests.acceptance.faults.invariants import check

PEOPLE = 12
POISON = "person4@customers.example"
COMPOSE = "massmail_plugin.delivery.mails.prepared:Prepared.compose"


@pytest.fixture
def account(sink):
    return builders.an_account(sink)


@pytest.fixture
def run(account):
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


def others_got_one(run, sink, *but):
    expected = {f"person{n}@customers.example" for n in range(1, PEOPLE + 1)} - set(but)
    assert Counter(sink.recipients) == dict.fromkeys(expected, 1)


def test_f21_a_mail_that_kills_each_worker_is_given_up_and_the_others_go_on(workers, sink, run, go_on):
    poisonous = Failpoint(COMPOSE, about=POISON)
    deaths = 0
    while deaths < 10 and workers.start("one_pass", poisonous).wait() is None:
        deaths += 1
        time_passes()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    assert deaths == 3
    assert builders.states_by_address(run)[POISON] == DeliveryState.FAILED
    others_got_one(run, sink, POISON)


def test_f22_a_task_that_runs_twice_at_once_hands_nothing_over_twice(workers, sink, run, account, go_on):
    with sink.holding("dot") as held:
        first = workers.start("task", massmail={"CLAIM_SIZE": 2}, account=account.pk)
        held.wait_until_reached()
        workers.start("task", account=account.pk).done()
        held.release()
        first.done()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f23_a_time_out_during_data_sends_nothing_twice(workers, sink, run, account, go_on):
    with sink.holding("DATA") as held:
        task = workers.start("task", account=account.pk)
        held.wait_until_reached()
        task.tell(signal.SIGALRM)
        assert "Timeout" in task.wait()["raised"]
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f23_a_time_out_at_the_dot_leaves_those_in_doubt_that_have_no_answer(
    workers, sink, run, account, go_on
):
    with sink.holding("dot", when=POISON) as held:
        task = workers.start("task", account=account.pk)
        held.wait_until_reached()
        task.tell(signal.SIGALRM)
        assert "Timeout" in task.wait()["raised"]
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, doubts=account.connections, logs=workers.said())
    assert builders.states_by_address(run)[POISON] == DeliveryState.IN_DOUBT


def test_f24_told_to_stop_during_the_dot_it_finishes_and_writes_it_down(workers, sink, run):
    with sink.holding("dot", when=POISON) as held:
        worker = workers.start("until_told")
        held.wait_until_reached()
        worker.tell(signal.SIGTERM)
        held.release()
        worker.done()

    states = builders.states_by_address(run)
    assert states[POISON] == DeliveryState.ACCEPTED
    assert set(states.values()) <= {DeliveryState.ACCEPTED, DeliveryState.QUEUED}
    workers.one_pass()
    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f24_killed_while_it_stops_no_more_are_in_doubt_than_it_had_connections(
    workers, sink, run, account, go_on
):
    with sink.holding("dot", when=POISON) as held:
        worker = workers.start("until_told")
        held.wait_until_reached()
        worker.tell(signal.SIGTERM)
        worker.kill()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, doubts=account.connections, logs=workers.said())


def test_f25_two_hosts_on_one_database_take_different_mails(workers, sink, account, tmp_path):
    people = builders.contacts(100)
    run = builders.start_now(builders.a_mailing(to=people))
    with sink.holding("dot") as held:
        here = workers.start("one_pass", massmail={"CLAIM_SIZE": 5})
        held.wait_until_reached()
        there = workers.start("one_pass", massmail={"CLAIM_SIZE": 5, "JOURNAL_DIR": str(tmp_path / "other")})
        there.done()
        by_the_other = len(sink.mails) - 1
        held.release()
        here.done()
    assert by_the_other > 0
    workers.one_pass()

    check(run, sink, people=len(people), logs=workers.said())
    assert Counter(sink.recipients) == {person.email: 1 for person in people}


ASLEEP = {
    "before the fence": Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send", fault="stopped"),
    "after the claim": Failpoint("massmail_plugin.delivery.ledger.claiming:claim", "after", fault="stopped"),
}


@pytest.mark.parametrize("point", ASLEEP.values(), ids=ASLEEP)
def test_f26_a_worker_that_slept_past_its_lease_sends_nothing_twice(workers, sink, run, go_on, point):
    sleeper = workers.start("one_pass", point)
    sleeper.wait_until_stopped()
    time_passes()
    workers.one_pass()
    assert len(sink.mails) == PEOPLE

    sleeper.tell(signal.SIGCONT)
    sleeper.done()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f26_a_worker_that_slept_after_the_fence_leaves_its_doubts_and_no_second_mail(
    workers, sink, run, account, go_on
):
    """Past the fence nobody else may have the mails: they are in doubt until the sleeper says what became of them."""
    fenced = Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send", "after", fault="stopped")
    sleeper = workers.start("one_pass", fenced)
    sleeper.wait_until_stopped()
    time_passes()
    workers.one_pass()
    assert 1 <= Counter(builders.states_by_address(run).values())["in_doubt"] <= account.connections

    sleeper.tell(signal.SIGCONT)
    sleeper.done()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f27_a_mail_that_takes_all_the_memory_fails_alone(workers, sink, run, go_on):
    workers.start("one_pass", Failpoint(COMPOSE, about=POISON, nth=0, fault="out of memory")).done()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    assert builders.states_by_address(run)[POISON] == DeliveryState.FAILED
    others_got_one(run, sink, POISON)


def test_f31_a_deadlock_at_the_fence_is_tried_again_from_the_start(workers, sink, run, go_on):
    workers.start(
        "one_pass", Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send", fault="deadlock")
    ).wait()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f31_a_deadlock_when_outcomes_are_written_is_tried_again_and_no_mail_is(workers, sink, run, go_on):
    workers.start(
        "one_pass", Failpoint("massmail_plugin.delivery.ledger.writing:write", fault="deadlock")
    ).wait()
    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f32_no_room_for_the_journal_no_mail_and_the_reason_is_shown(workers, sink, run, account, go_on):
    workers.one_pass(massmail={"JOURNAL_DIR": "/proc/no-room"})
    assert sink.mails == []
    account.refresh_from_db()
    assert "JOURNAL_DIR" in account.last_fault
    run.mailing.refresh_from_db()
    assert run.mailing.state == MailingState.ACTIVE

    workers.one_pass()

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f32_a_full_disk_says_so_before_a_mail_has_left(workers, sink, run, account):
    full = Failpoint("massmail_plugin.delivery.keeping.journal:_take_space", nth=0, fault="disk full")
    workers.start("one_pass", full).done()
    assert sink.mails == []
    account.refresh_from_db()
    assert "No space left on device" in account.last_fault

    workers.one_pass()

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f32_a_journal_that_breaks_after_the_answer_keeps_no_outcome_from_the_ledger(workers, sink, run):
    broken = Failpoint("massmail_plugin.delivery.keeping.journal:_to_line", nth=0, fault="disk full")
    workers.start("one_pass", broken).done()

    check(run, sink, people=PEOPLE, logs=workers.said())
    others_got_one(run, sink)


def test_f33_logs_that_cannot_be_written_stop_no_mail(workers, sink, run, tmp_path):
    full = tmp_path / "full.log"
    full.symlink_to("/dev/full")
    workers.one_pass(log=full)

    check(run, sink, people=PEOPLE)
    others_got_one(run, sink)
