"""Is anybody there who does the work?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.apps import apps
from django.utils import timezone
from django.utils.timesince import timesince

from massmail_plugin import conf
from massmail_plugin.cluster_checks import broker_of, chosen_cluster
from massmail_plugin.delivery.doctor.findings import Finding, note, problem, warning
from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.delivery.running.schedule import NAME

#: A schedule that is so long overdue is not looked at by any cluster.
_OVERDUE = timedelta(minutes=3)
#: So many tasks in the queue come from no button: nobody takes them.
_MANY_TASKS = 200

_START = {
    "django-q": "start the cluster: manage.py qcluster. If it runs, restart it with all its processes: it can freeze",
    "worker": "start manage.py massmail_worker, or call manage.py massmail_tick from cron each minute",
}


_MORE = {
    "django-q": 'more workers: Q_CLUSTER["workers"]',
    "worker": "look at its log: it looks for work itself, whatever its accounts wait for",
}


def ticks() -> Iterator[Finding]:
    ago = heartbeats.silence(Heartbeat.Kind.TICK)
    remedy = _START[conf.get("RUNNER")]
    if ago is None:
        yield problem("ticks", "nobody has ever started to work", remedy)
    elif heartbeats.is_silent():
        stopped = ago <= heartbeats.SILENT_AFTER
        last = "the last worker was stopped" if stopped else f"the last one was {_in_words(ago)} ago"
        yield problem("ticks", f"{last}: nothing starts, nothing leaves", remedy)
    elif ago > heartbeats.SILENT_AFTER:
        says = f"none for {_in_words(ago)}, although workers are there: all wait for slow mail servers"
        yield warning("ticks", says, _MORE[conf.get("RUNNER")])
    else:
        yield Finding("ticks", f"the last one was {ago.total_seconds():.0f} seconds ago")


def processes() -> Iterator[Finding]:
    for kind in Heartbeat.Kind:
        hosts = list(heartbeats.living(kind).values_list("host", flat=True))
        if hosts:
            yield Finding(
                "processes", f"{kind.value}: {len(hosts)} alive, on {', '.join(sorted(set(hosts)))}"
            )


def schedule() -> Iterator[Finding]:
    if conf.get("RUNNER") == "worker" or not apps.is_installed("django_q"):
        return
    from django_q.models import Schedule

    found = list(Schedule.objects.filter(name=NAME).order_by("pk"))
    if not found:
        yield problem("schedule", f"{NAME} is missing", "run: manage.py migrate")
        return
    if len(found) > 1 or (found[0].cluster or "") != conf.get("CLUSTER"):
        says = f"{NAME} is there {len(found)} times" if len(found) > 1 else f"{NAME} is for another cluster"
        yield warning("schedule", says, "run: manage.py migrate")
        return
    late = timezone.now() - found[0].next_run
    if late > _OVERDUE:
        yield problem("schedule", f"{NAME} is overdue by {_in_words(late)}", _START["django-q"])
    else:
        yield Finding("schedule", f"{NAME} is there, each minute")


def broker() -> Iterator[Finding]:
    cluster = chosen_cluster()
    if conf.get("RUNNER") == "worker" or not apps.is_installed("django_q") or cluster is None:
        return
    from django_q.brokers import get_broker

    kind = broker_of(cluster)
    try:
        waiting = get_broker(conf.get("CLUSTER") or None).queue_size()
    except Exception as error:
        # Each broker has errors of its own.
        says = f"{kind} cannot be reached ({type(error).__name__})"
        yield problem("broker", says, "start it, or mend Q_CLUSTER; until then mails wait")
        return
    if waiting > _MANY_TASKS:
        yield warning("broker", f"{waiting} tasks wait in the queue", _START["django-q"])
    elif kind == "redis":
        yield note(
            "broker", f"redis answers, {waiting} tasks wait; it keeps no receipts, the tick makes up for it"
        )
    else:
        yield Finding("broker", f"{kind} answers, {waiting} tasks wait")


def _in_words(length: timedelta) -> str:
    now = timezone.now()
    return timesince(now - length, now, depth=1).replace("\xa0", " ")
