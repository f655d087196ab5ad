"""Nudges: they only say "there may be work". A lost, late or repeated one does no harm."""

from __future__ import annotations

import logging

from django.db import transaction

from massmail_plugin import conf
from massmail_plugin.delivery.models import Nudge

logger = logging.getLogger("massmail_plugin.delivery")

_OPTIONS = {"ack_failure": True, "save": False}


def nudge_tick() -> None:
    """Ask for a tick soon, once the current transaction is committed."""
    if conf.get("RUNNER") == "worker":
        Nudge.objects.create()
    else:
        transaction.on_commit(lambda: _enqueue("massmail_plugin.delivery.tasks.tick"))


def nudge_account(account_id: int, due: float | None = None) -> None:
    """Ask for a worker for this account, once the current transaction is committed.

    ``due``: not before this time of the database's clock, in seconds since 1970; it tells a cluster to wait.
    """
    when = () if due is None else (due,)
    if conf.get("RUNNER") == "worker":
        Nudge.objects.create()
    else:
        transaction.on_commit(
            lambda: _enqueue("massmail_plugin.delivery.tasks.drain_account", account_id, *when)
        )


def nudge_import(import_id: int) -> None:
    """Ask for a worker for this import into a list, once the current transaction is committed."""
    if conf.get("RUNNER") == "worker":
        Nudge.objects.create()
    else:
        transaction.on_commit(lambda: _enqueue("massmail_plugin.delivery.tasks.run_import", import_id))


def nudge_sign_ups() -> None:
    """Ask for somebody to send the confirmation mails of sign-ups, once the current transaction is committed."""
    if conf.get("RUNNER") == "worker":
        Nudge.objects.create()
    else:
        transaction.on_commit(lambda: _enqueue("massmail_plugin.delivery.tasks.send_sign_up_mails"))


def take_nudges() -> bool:
    """Forget the nudges of a ``massmail_worker``; returns whether there were any."""
    return Nudge.objects.exists() and bool(Nudge.objects.all().delete()[0])


def _enqueue(path: str, *args: float) -> None:
    # Only here: whoever has another runner may do without django-q2.
    from django_q.tasks import async_task

    cluster = conf.get("CLUSTER")
    try:
        async_task(path, *args, q_options={**_OPTIONS, **({"cluster": cluster} if cluster else {})})
    except Exception:
        # The broker is away. What was done is committed, and the next tick finds it.
        logger.exception("The nudge %s%s could not be queued", path, args)
