"""What a worker process can be told to do. Each returns what it did, as plain values."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db import OperationalError
from django_q.timeout import TimeoutHandler

from massmail_plugin.delivery import tasks
from massmail_plugin.delivery.running.foreground import Foreground
from massmail_plugin.delivery.running.stopping import stop_when_told
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.turns.worker import drain
from tests.acceptance.faults.sink import Sink
from tests.acceptance.faults.small_disk import SmallDisk

#: Seconds; no test waits for that long.
_TASK_TIMEOUT = 600


def one_pass(seconds: float = 60) -> dict[str, Any]:
    """As ``massmail_tick`` does: a tick, and everything that is due."""
    work = Foreground(threads=4)
    with stop_when_told(work.stop):
        work.run_once(seconds)
    return {"handled": work.handled}


def until_told() -> dict[str, Any]:
    """As ``massmail_worker`` does: until SIGTERM."""
    work = Foreground(threads=4)
    with stop_when_told(work.stop):
        work.run()
    return {"handled": work.handled}


def tick() -> dict[str, Any]:
    return {"accounts": run_tick()}


def turn(account: int, seconds: float = 60) -> dict[str, Any]:
    """One turn of a worker."""
    return asdict(drain(account, seconds=seconds))


def task(account: int) -> dict[str, Any]:
    """As one of the cluster's workers does: SIGALRM is its time-out."""
    with TimeoutHandler(_TASK_TIMEOUT):
        tasks.drain_account(account)
    return {}


def one_pass_on_a_small_disk(folder: str, full_from_the_beginning: bool = False) -> dict[str, Any]:
    """A pass with the database on a disk of a few megabytes: SIGUSR1 fills it, SIGUSR2 makes room again.

    ``full_from_the_beginning``: one pass more, while it is full. At the end the database is where it was.
    """
    disk = SmallDisk(Path(folder))
    with disk.holding_the_database():
        signal.signal(signal.SIGUSR1, lambda *_: disk.fill())
        signal.signal(signal.SIGUSR2, lambda *_: disk.make_room())
        if full_from_the_beginning:
            disk.fill()
            with suppress(OperationalError):
                one_pass(seconds=5)
            # Kept back until it is waited for: it may come at once.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
            print("The full disk has had its pass", flush=True)
            signal.sigwait({signal.SIGUSR2})
            disk.make_room()
        one_pass()
        # A turn that was broken off goes on with the next tick. Here: the guard would take the old place for a copy.
        return one_pass()


def mail_server(folder: str, port: int, keeps_waiting: Sequence[str] = ()) -> dict[str, Any]:
    """A mail server; who sends to one of ``keeps_waiting`` gets no answer to the mail. Until it is killed."""
    with Sink(folder=Path(folder), port=port) as sink, ExitStack() as stack:
        for recipient in keeps_waiting:
            stack.enter_context(sink.holding("dot", when=recipient))
        print(f"Accepting mail in {folder}", flush=True)
        signal.pause()
    return {}


ROLES = {
    role.__name__: role
    for role in (one_pass, until_told, tick, turn, task, one_pass_on_a_small_disk, mail_server)
}
