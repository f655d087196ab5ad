"""One worker process, which sends until nothing is due, or for a time.

``python -m tests.benchmarks.work PORT [CONNECTIONS [SECONDS]]``; 0 connections: as many as an account has by default.
With MASSMAIL_BENCH_PROFILE in its environment it also tells what it was at.
"""

from __future__ import annotations

import os
import sys
import time

import django

from tests.benchmarks.processes import get_ready, tell
from tests.benchmarks.sampler import Sampler


def main(port: int, connections: int = 0, seconds: float = float("inf")) -> None:
    django.setup()
    from django.urls import reverse

    from massmail_plugin import conf
    from massmail_plugin.delivery.turns import worker
    from massmail_plugin.models import SenderAccount

    account = SenderAccount.objects.get()
    account.port = port
    account.connections = connections or account.connections
    account.save()
    # A worker that has sent mails before has loaded the site's addresses.
    reverse("massmail:opt_out", args=["token"])
    sampler = Sampler()
    get_ready()
    if "MASSMAIL_BENCH_PROFILE" in os.environ:
        sampler.start()
    began, cpu, handled, stopped = time.monotonic(), time.process_time(), 0, ""
    while True:
        left = began + seconds - time.monotonic()
        drained = worker.drain(account.pk, seconds=min(left, conf.get("SLICE_SECONDS")))
        handled += drained.handled
        stopped = drained.stopped
        if not drained.more or time.monotonic() >= began + seconds:
            break
    ended = time.monotonic()
    sampler.stop()
    tell(
        began=began,
        ended=ended,
        cpu=time.process_time() - cpu,
        mails=handled,
        stopped=stopped,
        places=sampler.counts,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
