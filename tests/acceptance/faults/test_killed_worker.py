"""F01-F13: a worker is killed at every step of one mail, and others take over."""

import pytest

from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Run
from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.conftest import time_passes
from tests.acceptance.faults.failpoints import Failpoint
from tests.acceptance.faults.invariants import check

PEOPLE = 6
#: The one in whose mail the worker dies.
UNLUCKY = "person3@customers.example"


WHILE_THE_AUDIENCE_IS_FROZEN = {
    "before the first list": Failpoint("massmail_plugin.audience.working_out:collect"),
    "between two lists": Failpoint("massmail_plugin.audience.working_out:collect", nth=2),
    "before the last rule": Failpoint("massmail_plugin.audience.working_out:leave_out_repeated"),
    "with the ledger half written": Failpoint("massmail_plugin.mailings.copying:insert_select", nth=2),
    "with the ledger written": Failpoint("massmail_plugin.mailings.freeze:finish"),
}


@pytest.mark.parametrize(
    "point",
    WHILE_THE_AUDIENCE_IS_FROZEN.values(),
    ids=[f"F14 {where}" for where in WHILE_THE_AUDIENCE_IS_FROZEN],
)
def test_killed_while_the_audience_is_frozen_nothing_leaves_and_another_goes_on(
    workers, sink, account, point
):
    people = builders.contacts(PEOPLE)
    lists = [builders.a_target_list(*people[:4]), builders.a_target_list(*people[2:])]
    mailing = builders.a_mailing(campaign=builders.a_campaign(*lists))
    actions.release(mailing)
    workers.start("one_pass", point).wait_for_its_death()
    assert not Run.objects.exclude(frozen_at=None).exists()
    assert not sink.recipients

    workers.one_pass()

    run = Run.objects.get()
    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


@pytest.fixture
def account(sink):
    return builders.an_account(sink, connections=1)


@pytest.fixture
def run(account):
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


def everybody_got_one(run, sink):
    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert sorted(sink.recipients) == [f"person{n}@customers.example" for n in range(1, PEOPLE + 1)]


BEFORE_THE_FENCE = {
    "F01 before the claim": Failpoint("massmail_plugin.delivery.ledger.claiming:claim"),
    "F02 after the claim": Failpoint("massmail_plugin.delivery.ledger.claiming:claim", "after"),
    "F03 while the mail is made": Failpoint(
        "massmail_plugin.delivery.mails.prepared:Prepared.compose", nth=3
    ),
    "F07 after 354": Failpoint(
        "massmail_plugin.delivery.transports.dialogue:Dialogue.send_body", about=UNLUCKY
    ),
    "F08 the whole body is sent": Failpoint(
        "massmail_plugin.delivery.ledger.fence:commit_to_send", about=UNLUCKY
    ),
}


@pytest.mark.parametrize("point", BEFORE_THE_FENCE.values(), ids=BEFORE_THE_FENCE)
def test_killed_before_the_fence_everybody_gets_one(workers, sink, run, go_on, point):
    workers.start("one_pass", point).wait_for_its_death()

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


@pytest.mark.parametrize(
    ("place", "when"),
    [("EHLO", ""), ("MAIL", ""), ("RCPT", UNLUCKY), ("DATA", "")],
    ids=["F04 EHLO", "F05 MAIL", "F06 RCPT", "F07 DATA"],
)
def test_killed_while_the_server_thinks_everybody_gets_one(workers, sink, run, go_on, place, when):
    with sink.holding(place, when=when) as held:
        worker = workers.start("one_pass")
        held.wait_until_reached()
        worker.kill()

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f08_killed_in_the_middle_of_the_body(workers, sink, run, go_on):
    body = "massmail_plugin.delivery.transports.dialogue:Dialogue.send_body"
    workers.start("one_pass", Failpoint(body, fault="killed half way")).wait_for_its_death()
    assert sink.mails == []

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f09_killed_between_fence_and_dot_one_mail_is_in_doubt(workers, sink, run, go_on):
    fenced = Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send", "after", about=UNLUCKY)
    workers.start("one_pass", fenced).wait_for_its_death()
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.HANDING

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, doubts=1, logs=workers.said())
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.IN_DOUBT
    assert sink.mails_to(UNLUCKY) == []


def test_f10_killed_while_the_server_keeps_its_answer_one_mail_is_in_doubt(workers, sink, run, go_on):
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = workers.start("one_pass")
        held.wait_until_reached()
        worker.kill()

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, doubts=1, logs=workers.said())
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.IN_DOUBT
    assert len(sink.mails_to(UNLUCKY)) == 1

    # It stays so until a person decides.
    time_passes()
    workers.one_pass()
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.IN_DOUBT
    assert len(sink.mails_to(UNLUCKY)) == 1


BEFORE_THE_JOURNAL = Failpoint("massmail_plugin.delivery.keeping.journal:Journal.append", nth=3)
#: The journal has the answer, the ledger has not.
JOURNALED = Failpoint("massmail_plugin.delivery.ledger.writing:write")


def test_f11_killed_after_the_answer_the_journal_knows_it(workers, sink, run, go_on):
    workers.start("one_pass", JOURNALED).wait_for_its_death()
    assert DeliveryState.HANDING in builders.states_by_address(run).values()

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f11_the_journal_is_lost_too(workers, sink, run, go_on):
    workers.start("one_pass", JOURNALED).wait_for_its_death()
    handing = [
        email for email, state in builders.states_by_address(run).items() if state == DeliveryState.HANDING
    ]
    for journal in workers.journals.glob("journal-*"):
        journal.unlink()

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, doubts=len(handing), logs=workers.said())
    states = builders.states_by_address(run)
    assert {states[email] for email in handing} == {DeliveryState.IN_DOUBT}


def test_f11_killed_before_the_answer_is_in_the_journal(workers, sink, run, go_on):
    workers.start("one_pass", BEFORE_THE_JOURNAL).wait_for_its_death()

    go_on(run.mailing)

    check(run, sink, people=PEOPLE, doubts=1, logs=workers.said())


def test_f12_a_task_that_is_delivered_again_does_nothing(workers, sink, run, account, go_on):
    drained = Failpoint("massmail_plugin.delivery.tasks:drain", "after")
    workers.start("task", drained, account=account.pk).wait_for_its_death()
    everybody_got_one(run, sink)

    workers.start("task", account=account.pk).done()

    go_on(run.mailing)
    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f13_killed_between_two_turns_the_next_tick_goes_on(workers, sink, run, account, go_on):
    between = Failpoint("massmail_plugin.delivery.tasks:nudge_account")
    workers.start(
        "task", between, massmail={"SLICE_SECONDS": 0, "CLAIM_SIZE": 1}, account=account.pk
    ).wait_for_its_death()
    assert 0 < len(sink.mails) < PEOPLE

    workers.one_pass()

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)
