"""Workers that die at the worst moments: nothing is lost, nobody gets a second mail, no doubt is hidden."""

from collections import Counter

import pytest

from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState
from tests import builders
from tests.processes import MANAGE, Process, sandbox_environment

pytestmark = pytest.mark.django_db(transaction=True)

#: Far more than the lease needs: each tick is a process of its own, and starting it takes seconds.
MANY_TICKS = 30
NO_MAILBOX = "550 5.1.1 No such mailbox"


def a_worker():
    """Return a real worker process that makes one pass and ends; its claims are given up after two seconds."""
    return Process(*MANAGE, "massmail_tick", env=sandbox_environment(MASSMAIL_SANDBOX_LEASE_SECONDS="2"))


def work_until_done(mailing):
    """Let one worker after the other do its pass, until the mailing is done."""
    for _tick in range(MANY_TICKS):
        with a_worker() as worker:
            assert worker.wait_for_its_end() == 0, worker.said()
        mailing.refresh_from_db()
        if mailing.state == MailingState.DONE:
            return
    pytest.fail(f"The mailing stands at {mailing.get_state_display()}:\n{worker.said()}")


def kill_a_worker(smtp_server, place, when):
    """Start a worker, and kill it while the mail server holds its answer there."""
    with smtp_server.holding(place, when=when) as held, a_worker() as worker:
        held.wait_until_reached()
        worker.kill()


@pytest.fixture
def people():
    """Six people; the mail server knows no gone@customers.example."""
    return [*builders.contacts(5), builders.a_contact("gone@customers.example")]


@pytest.fixture
def run(smtp_server, people):
    smtp_server.answer("RCPT", NO_MAILBOX, when="gone@")
    builders.an_account(smtp_server)
    return builders.start_now(builders.a_mailing(to=people))


@pytest.mark.parametrize(
    ("place", "when"), [("MAIL", ""), ("RCPT", "person3@"), ("DATA", "")], ids=["MAIL", "RCPT", "DATA"]
)
def test_killed_before_the_mail_could_count_everybody_gets_one(smtp_server, run, place, when):
    kill_a_worker(smtp_server, place, when)

    work_until_done(run.mailing)

    expected = {f"person{n}@customers.example": "accepted" for n in range(1, 6)}
    assert builders.states_by_address(run) == {**expected, "gone@customers.example": "failed"}
    assert sorted(smtp_server.recipients) == sorted(expected)


def test_killed_while_the_server_keeps_the_answer_one_mail_is_in_doubt(smtp_server, run):
    kill_a_worker(smtp_server, "dot", "person3@")
    assert builders.states_by_address(run)["person3@customers.example"] == DeliveryState.HANDING

    work_until_done(run.mailing)

    states = builders.states_by_address(run)
    assert states.pop("person3@customers.example") == DeliveryState.IN_DOUBT
    assert states.pop("gone@customers.example") == DeliveryState.FAILED
    assert set(states.values()) == {DeliveryState.ACCEPTED}
    # The server had taken the doubtful one, too: a second attempt would have made it two.
    assert Counter(smtp_server.recipients) == {f"person{n}@customers.example": 1 for n in range(1, 6)}


def test_who_is_in_doubt_stays_so_until_a_person_decides(smtp_server, run):
    kill_a_worker(smtp_server, "dot", "person1@")
    work_until_done(run.mailing)

    with a_worker() as worker:
        worker.wait_for_its_end()

    assert builders.states_by_address(run)["person1@customers.example"] == DeliveryState.IN_DOUBT
    assert len(smtp_server.mails_to("person1@customers.example")) == 1


def test_two_workers_share_a_mailing(smtp_server):
    people = builders.contacts(60)
    builders.an_account(smtp_server)
    run = builders.start_now(builders.a_mailing(to=people))

    with smtp_server.holding("dot") as held, a_worker() as first:
        held.wait_until_reached()
        with a_worker() as second:
            assert second.wait_for_its_end() == 0
        assert len(smtp_server.mails) > 1, "The second worker waited for the first one."
        held.release()
        assert first.wait_for_its_end() == 0
    work_until_done(Mailing.objects.get(pk=run.mailing_id))

    assert Counter(smtp_server.recipients) == {person.email: 1 for person in people}
