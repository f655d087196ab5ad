"""One worker process, which sends until nothing is due, or for a time.

``python -m tests.benchmarks.work PORT [CONNECTIONS [SECONDS]]``; 0 connections: as many as an account has by default.
"""

from __future__ import annotations

import sys
import time

import django

from tests.benchmarks.processes import get_ready, tell


def main(port: int, connections: int = 0, seconds: float = float("inf")) -> None:
    django.setup()
    from django.urls import reverse

    from massmail_plugin import conf
    from massmail_plugin.delivery import worker
    from massmail_plugin.models import SenderAccount

    account = SenderAccount.objects.get()
    account.port = port
    account.connections = connections or account.connections
    account.save()
    # A worker that has sent mails before has loaded the site's addresses.
    reverse("massmail:opt_out", args=["token"])
    get_ready()
    began, cpu, handled, stopped = time.monotonic(), time.process_time(), 0, ""
    while True:
        left = began + seconds - time.monotonic()
        drained = worker.drain(account.pk, seconds=min(left, conf.get("SLICE_SECONDS")))
        handled += drained.handled
        stopped = drained.stopped
        if not drained.more or time.monotonic() >= began + seconds:
            break
    tell(
        began=began,
        ended=time.monotonic(),
        cpu=time.process_time() - cpu,
        mails=handled,
        stopped=stopped,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
