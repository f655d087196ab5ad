"""Clusters of django-q2 as real processes, several on one Redis, and ways to end parts of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django_q.brokers import get_broker
from django_q.conf import Conf

from tests.processes import (
    MANAGE,
    PATIENCE_SECONDS,
    Process,
    free_port,
    sandbox_environment,
    wait_until,
)

#: Mails that each of them claims at a time, at first.
CLAIM_SIZE = 5

_USUAL = ("127.0.0.1", 6379)
_DATABASE = 7


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Yield the URL of a database of the machine's Redis, or of one that runs for this test."""
    if _answers(*_USUAL):
        yield f"redis://{_USUAL[0]}:{_USUAL[1]}/{_DATABASE}"
        return
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", _USUAL[0], "--save", "", "--dir", str(folder)]
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        pytest.skip("Redis neither runs nor is it installed.")
    try:
        wait_until(lambda: _answers(_USUAL[0], port), "Redis answers")
        yield f"redis://{_USUAL[0]}:{port}/{_DATABASE}"
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)


def _answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@contextmanager
def using_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what this process asks for go where the clusters look; at the end the queue is gone."""
    name = f"massmail-{connection.settings_dict['NAME']}"
    for key, value in {"ORM": None, "REDIS": url, "PREFIX": name, "CLUSTER_NAME": name}.items():
        monkeypatch.setattr(Conf, key, value)
    yield
    get_broker().delete_queue()


def a_cluster(name: str, redis: str, *, lease_seconds: int = 900, recycle: int = 500) -> Process:
    """Return a cluster that introduces itself to mail servers as ``name``; a worker ends after ``recycle`` tasks."""
    environment = sandbox_environment(
        DJANGO_SETTINGS_MODULE="tests.acceptance.cluster_settings",
        MASSMAIL_TEST_EHLO_NAME=name,
        MASSMAIL_TEST_CLAIM_SIZE=str(CLAIM_SIZE),
        MASSMAIL_TEST_RECYCLE=str(recycle),
        MASSMAIL_SANDBOX_REDIS=redis,
        MASSMAIL_SANDBOX_LEASE_SECONDS=str(lease_seconds),
        PYTHONPATH=str(settings.REPOSITORY),
    )
    return Process(*MANAGE, "qcluster", env=environment)


def children(process: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def kill_one(process: int) -> None:
    """Kill this process, and none of its children."""
    os.kill(process, signal.SIGKILL)
