"""What a worker process can be told to do. Each returns what it did, as plain values."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django_q.timeout import TimeoutHandler

from massmail_plugin.delivery import tasks
from massmail_plugin.delivery.foreground import Foreground
from massmail_plugin.delivery.stopping import stop_when_told
from massmail_plugin.delivery.ticker import run_tick
from massmail_plugin.delivery.worker import drain
from tests.acceptance.faults.sink import Sink

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


def mail_server(folder: str, port: int, keeps_waiting: Sequence[str] = ()) -> dict[str, Any]:
    """A mail server; who sends to one of ``keeps_waiting`` gets no answer to the mail. Until it is killed."""
    with Sink(folder=Path(folder), port=port) as sink, ExitStack() as stack:
        for recipient in keeps_waiting:
            stack.enter_context(sink.holding("dot", when=recipient))
        print(f"Accepting mail in {folder}", flush=True)
        signal.pause()
    return {}


ROLES = {role.__name__: role for role in (one_pass, until_told, tick, turn, task, mail_server)}
