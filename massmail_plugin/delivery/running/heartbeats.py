"""Signs of life of the processes that send, and how long it is since there was one."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from datetime import timedelta

from django.db import DatabaseError, IntegrityError, InterfaceError, transaction
from django.db.models import Max, QuerySet

from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.models import Heartbeat

#: A tick comes each minute, in a cluster up to half a minute later; after this it has not come.
SILENT_AFTER = timedelta(minutes=2)
#: Seconds between two signs of life of a busy process.
BEAT_SECONDS = 15
#: A cluster puts another worker in the place of one that has ended within half a second.
_SUCCEEDED_WITHIN = timedelta(seconds=10)
#: Processes that were seen so long ago have ended. A cron job is a new process each minute.
_FORGET_AFTER = timedelta(hours=1)


def beat(kind: Heartbeat.Kind) -> None:
    """Write down that this process is alive."""
    now, host, process = clock.now(), socket.gethostname()[:255], os.getpid()
    mine = Heartbeat.objects.filter(kind=kind, host=host, process=process)
    if mine.update(last_seen=now, stopped_at=None):
        return
    try:
        with transaction.atomic():
            Heartbeat.objects.create(kind=kind, host=host, process=process, started_at=now, last_seen=now)
    except IntegrityError:
        pass  # Another thread of this process was first.


def stopped() -> None:
    """Write down that this process has ended as it was told: nobody must wait two minutes to see that it is gone."""
    mine = Heartbeat.objects.filter(host=socket.gethostname()[:255], process=os.getpid())
    mine.update(stopped_at=clock.now())


def take_over() -> None:
    """A worker of a cluster begins. If another one has just ended, after its share of tasks, the work goes on here."""
    now = clock.now()
    cluster = Heartbeat.objects.exclude(kind=Heartbeat.Kind.WORKER).filter(host=socket.gethostname()[:255])
    if cluster.filter(stopped_at__gte=now - _SUCCEEDED_WITHIN).exists():
        beat(Heartbeat.Kind.CLUSTER)


class Pulse:
    """Keeps a process's sign of life fresh during long work that calls it again and again, as a turn calls ``stop``.

    A turn may wait ten minutes for a mail server; it must not look like a frozen one.
    """

    def __init__(self, kind: Heartbeat.Kind) -> None:
        self._kind = kind
        self._next = 0.0

    def __call__(self) -> bool:
        """Beat, if it is time. Returns False: this is no reason to stop."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + BEAT_SECONDS
            # A database that is away is the turn's own trouble, and it knows how to wait.
            with suppress(DatabaseError, InterfaceError):
                beat(self._kind)
        return False


def prune() -> None:
    """Forget processes that have ended; one sign of life of each kind is kept, so that it can be told how old it is."""
    newest = Heartbeat.objects.order_by().values("kind").annotate(at=Max("last_seen")).values_list("at")
    old = Heartbeat.objects.filter(last_seen__lt=clock.now() - _FORGET_AFTER)
    old.exclude(last_seen__in=[at for (at,) in newest]).delete()


def silence(*kinds: Heartbeat.Kind) -> timedelta | None:
    """Return how long ago any process (of these kinds) was seen; None: never."""
    beats = Heartbeat.objects.filter(kind__in=kinds) if kinds else Heartbeat.objects.all()
    last = beats.aggregate(last=Max("last_seen"))["last"]
    return None if last is None else max(clock.now() - last, timedelta(0))


def living(*kinds: Heartbeat.Kind) -> QuerySet[Heartbeat]:
    """Return the processes (of these kinds) that seem to be alive."""
    lately = Heartbeat.objects.filter(stopped_at=None, last_seen__gte=clock.now() - SILENT_AFTER)
    return lately.filter(kind__in=kinds) if kinds else lately


def is_silent() -> bool:
    """Return whether nobody seems to do the work."""
    return not living().exists()
