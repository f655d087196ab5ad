"""``massmail_worker`` as a process of its own: started, told to stop, told twice."""

import signal
from collections import Counter

import pytest

from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.processes import MANAGE, Process, sandbox_environment

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 60


def a_worker():
    return Process(*MANAGE, "massmail_worker", env=sandbox_environment(MASSMAIL_SANDBOX_RUNNER="worker"))


@pytest.fixture
def run(smtp_server):
    builders.an_account(smtp_server)
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_is_in_flight_and_leaves_nothing_half_done(smtp_server, run, number):
    """F24: every mail is accounted for, and none is in doubt."""
    with smtp_server.holding("dot", when="person5@") as held, a_worker() as worker:
        held.wait_until_reached()
        worker.tell(number)
        worker.wait_until_it_says("Stopping")
        held.release()
        worker.wait_until_it_says("Stopped.")
        assert worker.wait_for_its_end() == 0, worker.said()

    states = Counter(builders.states_by_address(run).values())
    assert set(states) == {DeliveryState.ACCEPTED, DeliveryState.QUEUED}
    assert states[DeliveryState.ACCEPTED] == len(smtp_server.mails) < PEOPLE
    assert max(Counter(smtp_server.recipients).values()) == 1
    assert f"Stopped. {len(smtp_server.mails)} mails handled." in worker.said()

    with smtp_server.holding("dot", when=f"person{PEOPLE}@") as last, a_worker() as worker:
        last.wait_until_reached()
    assert Counter(smtp_server.recipients) == {
        f"person{n}@customers.example": 1 for n in range(1, PEOPLE + 1)
    }


def test_told_twice_it_ends_at_once(smtp_server, run):
    with smtp_server.holding("dot", when="person5@") as held, a_worker() as worker:
        held.wait_until_reached()
        worker.tell(signal.SIGTERM)
        worker.wait_until_it_says("Stopping")
        worker.tell(signal.SIGTERM)
        assert worker.wait_for_its_end() == 128 + signal.SIGTERM
    assert builders.states_by_address(run)["person5@customers.example"] == DeliveryState.HANDING


def test_an_idle_one_stops_at_once(db):
    with a_worker() as worker:
        worker.wait_until_it_says("At work")
        worker.tell(signal.SIGTERM)
        worker.wait_until_it_says("Stopped. 0 mails handled.")
        assert worker.wait_for_its_end() == 0


def test_it_says_when_buttons_would_not_reach_it(db):
    with Process(*MANAGE, "massmail_worker", env=sandbox_environment()) as worker:
        worker.wait_until_it_says('MASSMAIL["RUNNER"] = "worker"')
