"""F20: a worker that waits for tasks is killed. It held a lock of the queue, and the whole cluster freezes."""

import os
import re
import signal

import pytest

from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.mailings.states import RUNNING
from tests import builders
from tests.acceptance.clusters import a_cluster, redis_server, using_redis
from tests.acceptance.faults.invariants import check
from tests.acceptance.faults.sink import Sink
from tests.processes import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.any_database,
    pytest.mark.xdist_group("clusters"),
]

PEOPLE = 20


def has_ended(run):
    run.mailing.refresh_from_db()
    return run.mailing.state not in RUNNING


def test_f20_a_cluster_that_froze_is_restarted_and_goes_on(tmp_path, monkeypatch):
    """The doctor tells it from a living one by its ticks: tests/integration/delivery/test_doctor.py."""
    (tmp_path / "sink").mkdir()
    with (
        redis_server(tmp_path) as redis,
        using_redis(redis, monkeypatch),
        Sink(folder=tmp_path / "sink") as sink,
    ):
        builders.an_account(sink)
        run = builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))
        with a_cluster("frozen.sandbox.example", redis) as frozen:
            frozen.wait_until_it_says("ready for work at")
            [worker] = re.findall(r"ready for work at (\d+)", frozen.said())
            os.kill(int(worker), signal.SIGKILL)
            # Its successor waits for a lock that nobody gives back.
            frozen.wait_until_it_says("ready for work at")
            nudge_tick()
            frozen.kill()
        with a_cluster("restarted.sandbox.example", redis) as restarted:
            restarted.wait_until_it_says("running.")
            nudge_tick()
            wait_until(lambda: has_ended(run), "the mailing has ended")

        check(run, sink, people=PEOPLE, logs=frozen.said() + restarted.said())
