"""Lets a cluster that is stopped as it should be say so at once: nobody must wait two minutes to see that it is gone.

django-q2 tells nobody that it ends. But each of its workers says that it begins, and comes to its own end when it is
told to: then, and after so many tasks that another worker takes its place. One that is killed says nothing.
"""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.util import Finalize
from typing import Any

from django.db import DatabaseError, InterfaceError

from massmail_plugin.delivery.running import heartbeats


def watch_worker(**kwargs: Any) -> None:
    """In a worker of a cluster that begins: a receiver of ``django_q.signals.post_spawn``."""
    # Not atexit, which processes of this kind end without.
    Finalize(None, _say_that_it_ends, exitpriority=1)
    with suppress(DatabaseError, InterfaceError):
        heartbeats.take_over()


def _say_that_it_ends() -> None:
    with suppress(DatabaseError, InterfaceError):
        heartbeats.stopped()
