"""A process with Django loaded and no connection open; each worker of a test is a fork of it.

Started anew, each would take seconds. ``python -m tests.acceptance.faults.zygote <socket>``: an order is one line of
JSON, with the end of a pipe for the result; the answer is the worker's process id.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
from typing import Any

import django

#: Bytes of an order at most.
_LONGEST_ORDER = 1 << 16


def main() -> None:
    server = socket.socket(fileno=int(sys.argv[1]))
    django.setup()
    # Everything that a worker needs, loaded once.
    from tests.acceptance.faults import roles  # noqa: F401

    # The dead stay zombies, for only so do their numbers stay theirs: given to other processes, they would be
    # killed below, and a long run of tests uses all numbers that a system has.
    children: list[int] = []
    while True:
        line, pipes, _flags, _address = socket.recv_fds(server, _LONGEST_ORDER, 1)
        if not line:
            break
        child = os.fork()
        if child == 0:
            server.close()
            _work(json.loads(line), pipes[0])
        os.close(pipes[0])
        children.append(child)
        server.sendall(f"{child}\n".encode())
    # The tests have ended, perhaps by a kill: nobody is left behind.
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _work(order: dict[str, Any], result: int) -> None:
    """Be a worker. Never returns."""
    status = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _prepare(order)
        from tests.acceptance.faults.roles import ROLES

        done = ROLES[order["role"]](**order["arguments"])
        os.write(result, json.dumps(done).encode())
        status = 0
    except BaseException as error:
        traceback.print_exc()
        os.write(result, json.dumps({"raised": f"{type(error).__name__}: {error}"}).encode())
    finally:
        os._exit(status)


def _prepare(order: dict[str, Any]) -> None:
    from django.conf import settings
    from django.db import connections

    from tests.acceptance.faults.failpoints import Failpoint, install

    connections.settings["default"].update(order["database"])
    settings.MASSMAIL.update(order["massmail"])
    if order["largest_file"]:
        # Writing beyond it fails with an error instead of a signal.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"], resource.RLIM_INFINITY))
    for point in order["failpoints"]:
        install(Failpoint(**point))


if __name__ == "__main__":
    main()
