"""System checks of ``Q_CLUSTER``: settings under which django-q2 loses tasks, or runs them twice or for ever.

None of this can lose or double a mail; it costs time, and mails that wait for no visible reason.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info

from massmail_plugin import conf

#: Brokers in the order in which django-q2 chooses; without any of them it takes Redis.
_BROKERS = ("broker_class", "iron_mq", "sqs", "orm", "mongo")


def check_cluster(**kwargs: Any) -> list[CheckMessage]:
    """Q_CLUSTER exists, and its times and limits fit our tasks."""
    if conf.get("RUNNER") == "worker":
        return []
    if not getattr(settings, "Q_CLUSTER", None):
        hint = 'Copy Q_CLUSTER from the README, or set MASSMAIL["RUNNER"] = "worker" and run massmail_worker.'
        return [Error("No cluster is configured to send mails.", hint=hint, id="massmail_plugin.E009")]
    if (cluster := chosen_cluster()) is None:
        name = conf.get("CLUSTER")
        return [
            Error(
                f'MASSMAIL["CLUSTER"] names the cluster {name!r}, which Q_CLUSTER does not have.',
                hint=f'Add Q_CLUSTER["ALT_CLUSTERS"] = {{{name!r}: {{...}}}}, or leave "CLUSTER" empty.',
                id="massmail_plugin.E010",
            )
        ]
    return [*_timeout(cluster), *_retry(cluster), *_endless_tasks(cluster), *_costly_connections(cluster)]


def check_cluster_in_production(**kwargs: Any) -> list[CheckMessage]:
    """For ``check --deploy``: what does no harm while one tries it out."""
    cluster = chosen_cluster()
    if conf.get("RUNNER") == "worker" or cluster is None:
        return []
    return [*_receipts(cluster), *_shared_cache(cluster)]


def chosen_cluster() -> dict[str, Any] | None:
    """Return the settings of the cluster that gets our tasks; None if there is no such cluster."""
    own: Mapping[str, Any] = getattr(settings, "Q_CLUSTER", None) or {}
    name = conf.get("CLUSTER")
    if not name or name in (own.get("name"), own.get("cluster_name")):
        return dict(own)
    other = (own.get("ALT_CLUSTERS") or {}).get(name)
    return None if other is None else {**own, **other}


def broker_of(cluster: Mapping[str, Any]) -> str:
    """Return the broker that django-q2 chooses: "orm", "redis"..."""
    return next((broker for broker in _BROKERS if cluster.get(broker)), "redis")


def needed_timeout() -> int:
    """Seconds that a task of ours may take: its slice, then a server that takes its time with the last mail."""
    return math.ceil(
        conf.get("SLICE_SECONDS") + conf.get("SMTP_FINAL_DOT_TIMEOUT") + conf.get("SMTP_TIMEOUT")
    )


def needed_retry(cluster: Mapping[str, Any]) -> int:
    """Seconds that a task may wait in the cluster and run: django-q2 counts from when it is fetched."""
    workers = cluster.get("workers") or os.cpu_count() or 4
    queue_limit = cluster.get("queue_limit") or workers**2
    rounds = math.ceil((queue_limit + cluster.get("bulk", 1) + 1) / workers) + 1
    return math.ceil((cluster.get("timeout") or needed_timeout()) * rounds)


def _timeout(cluster: Mapping[str, Any]) -> list[CheckMessage]:
    timeout, needed = cluster.get("timeout"), needed_timeout()
    if timeout and timeout >= needed:
        return []
    message = (
        'Q_CLUSTER["timeout"] ends tasks while a mail server may still answer: that mail would be in doubt.'
    )
    if not timeout:
        message = 'Q_CLUSTER has no "timeout": a task that hangs would keep its worker for ever.'
    hint = f"Set it to {needed} seconds or more: SLICE_SECONDS + SMTP_FINAL_DOT_TIMEOUT + SMTP_TIMEOUT."
    return [checks.Warning(message, hint=hint, id="massmail_plugin.W005")]


def _retry(cluster: Mapping[str, Any]) -> list[CheckMessage]:
    needed = needed_retry(cluster)
    if cluster.get("retry", 60) >= needed:
        return []
    return [
        checks.Warning(
            'Q_CLUSTER["retry"] is shorter than a task may wait and run: tasks would be started twice.',
            hint=f"Set it to {needed} seconds or more: timeout x (ceil((queue_limit + bulk + 1) / workers) + 1).",
            id="massmail_plugin.W004",
        )
    ]


def _endless_tasks(cluster: Mapping[str, Any]) -> list[CheckMessage]:
    if cluster.get("max_attempts") and cluster.get("ack_failures"):
        return []
    return [
        checks.Warning(
            "A task that always fails would be started again for ever.",
            hint='Set Q_CLUSTER["max_attempts"], for example to 5, and Q_CLUSTER["ack_failures"] = True.',
            id="massmail_plugin.W006",
        )
    ]


def _costly_connections(cluster: Mapping[str, Any]) -> list[CheckMessage]:
    database = settings.DATABASES.get(str(cluster.get("orm")), {})
    is_cheap = "sqlite" in str(database.get("ENGINE", ""))
    # None means for ever.
    if broker_of(cluster) != "orm" or is_cheap or database.get("CONN_MAX_AGE", 0) != 0:
        return []
    return [
        checks.Warning(
            "The cluster opens a database connection for every single look into its queue.",
            hint='Set "CONN_MAX_AGE": 60 and "CONN_HEALTH_CHECKS": True in DATABASES.',
            id="massmail_plugin.W007",
        )
    ]


def _receipts(cluster: Mapping[str, Any]) -> list[CheckMessage]:
    if broker_of(cluster) != "redis":
        return []
    return [
        Info(
            "Redis keeps no receipts: a task whose worker dies is lost, and its mails wait for the next tick.",
            hint='That is a minute at most. A broker with receipts: Q_CLUSTER["orm"] = "default".',
            id="massmail_plugin.I001",
        )
    ]


def _shared_cache(cluster: Mapping[str, Any]) -> list[CheckMessage]:
    backend = str(settings.CACHES.get(cluster.get("cache", "default"), {}).get("BACKEND", ""))
    if not backend.endswith(("locmem.LocMemCache", "dummy.DummyCache")):
        return []
    return [
        checks.Warning(
            "The cluster's state cannot be seen: its cache is not shared between processes.",
            hint="Choose a cache in the database, in files, in Redis or Memcached (CACHES).",
            id="massmail_plugin.W008",
        )
    ]
