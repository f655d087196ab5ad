"""Database, settings, public address, journal: what everything else stands on."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from django.core import checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from massmail_plugin import conf, preferences
from massmail_plugin.delivery.doctor.findings import Finding, Level, note, problem, warning
from massmail_plugin.delivery.ledger import clock

_LEVELS = {checks.ERROR: Level.PROBLEM, checks.WARNING: Level.WARNING, checks.INFO: Level.NOTE}
#: Harmless differences between two clocks.
_CLOCK_TOLERANCE = timedelta(seconds=30)


def database() -> Iterator[Finding]:
    connection.ensure_connection()
    yield Finding("database", f"{connection.display_name} answers")


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    apps = ["massmail_plugin", *(["django_q"] if conf.get("RUNNER") != "worker" else [])]
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in apps]
    if missing := executor.migration_plan(targets):
        yield problem("migrations", f"{len(missing)} not applied", "run: manage.py migrate")
    else:
        yield Finding("migrations", "all applied")


def durability() -> Iterator[Finding]:
    """A commit has to survive a power cut, or a mail that has left looks unsent afterwards."""
    questions = {
        "postgresql": (
            "SHOW synchronous_commit",
            lambda value: value != "off",
            "set synchronous_commit = on",
        ),
        "sqlite": ("PRAGMA synchronous", lambda value: int(value) >= 2, "set PRAGMA synchronous=FULL"),
        "mysql": (
            "SELECT @@innodb_flush_log_at_trx_commit",
            lambda value: int(value) == 1,
            "set innodb_flush_log_at_trx_commit = 1",
        ),
    }
    if connection.vendor not in questions:
        return
    question, is_durable, remedy = questions[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(question)
        (value,) = cursor.fetchone()
    if is_durable(value):
        yield Finding("durability", "commits survive a power cut")
    else:
        yield warning("durability", "after a power cut mails could be sent twice", remedy)


def clocks() -> Iterator[Finding]:
    apart = abs(timezone.now() - clock.now())
    if apart > _CLOCK_TOLERANCE:
        says = f"this machine and the database are {apart.total_seconds():.0f} seconds apart"
        yield warning("clock", says, "let both follow a time server (NTP)")
    else:
        yield Finding("clock", "this machine and the database agree")


def settings() -> Iterator[Finding]:
    """The system checks, also those for production."""
    complaints = [
        message
        for message in checks.run_checks(tags=["massmail"], include_deployment_checks=True)
        if not message.is_silenced()
    ]
    for message in complaints:
        level = max(level for at_least, level in _LEVELS.items() if message.level >= at_least)
        yield Finding("settings", f"{message.msg} ({message.id})", level, message.hint or "")
    if not complaints:
        yield Finding("settings", "the system checks have nothing to say")


def public_address() -> Iterator[Finding]:
    """Links in mails must lead here from outside."""
    url = preferences.load().base_url
    parts = urlsplit(url)
    remedy = 'set MASSMAIL["BASE_URL"], for example to "https://www.example.com"'
    if not url:
        yield problem("public address", "none: links in mails would lead nowhere", remedy)
    elif parts.scheme not in ("http", "https") or not parts.hostname:
        yield problem("public address", f"{url} is no address of a site", remedy)
    elif _is_inside(parts.hostname):
        yield warning("public address", f"{url} cannot be reached from outside", remedy)
    elif parts.scheme == "http":
        # RFC 8058 3.1: one-click unsubscribing needs https; large mailbox providers ask for it.
        yield warning("public address", f"{url} is not https: no one-click opt-out", remedy)
    else:
        yield Finding("public address", url)


def _is_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


def production() -> Iterator[Finding]:
    from django.conf import settings

    if settings.DEBUG:
        yield note("debug", "DEBUG is on: memory of workers grows with each query", "set DEBUG = False")
