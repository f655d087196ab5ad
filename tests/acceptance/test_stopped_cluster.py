"""A cluster that is stopped as it should be says so at once; one worker that follows another is no such end."""

import signal

import pytest

from massmail_plugin.delivery.doctor import runner
from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.delivery.running.nudges import nudge_tick
from tests.acceptance.clusters import a_cluster, redis_server, using_redis
from tests.processes import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.any_database,
    pytest.mark.xdist_group("clusters"),
]


@pytest.fixture
def redis(tmp_path, monkeypatch):
    with redis_server(tmp_path) as redis, using_redis(redis, monkeypatch):
        yield redis


def test_a_cluster_that_was_stopped_is_gone_at_once(redis):
    with a_cluster("stopped.sandbox.example", redis) as cluster:
        cluster.wait_until_it_says("running.")
        nudge_tick()
        wait_until(lambda: heartbeats.living().exists(), "somebody works")
        cluster.tell(signal.SIGTERM)
        assert cluster.wait_for_its_end() == 0
    assert heartbeats.is_silent()
    assert "the last worker was stopped" in next(runner.ticks()).says


def test_a_worker_that_follows_another_goes_on_with_the_work(redis):
    with a_cluster("recycled.sandbox.example", redis, recycle=1) as cluster:
        cluster.wait_until_it_says("running.")
        nudge_tick()
        cluster.wait_until_it_says("recycled worker")
        cluster.wait_until_it_says("ready for work at")
        wait_until(lambda: heartbeats.living().exists(), "its successor works")
        assert Heartbeat.objects.exclude(stopped_at=None).exists()
