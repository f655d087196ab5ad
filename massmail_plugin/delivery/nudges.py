"""Nudges: tasks that only say "there may be work". A lost, late or repeated one does no harm."""

from __future__ import annotations

from django.db import transaction
from django_q.tasks import async_task

from massmail_plugin import conf

_OPTIONS = {"ack_failure": True, "save": False}


def nudge_tick() -> None:
    """Ask for a tick soon, once the current transaction is committed."""
    transaction.on_commit(lambda: _enqueue("massmail_plugin.delivery.tasks.tick"))


def nudge_account(account_id: int) -> None:
    """Ask for a worker for this account, once the current transaction is committed."""
    transaction.on_commit(lambda: _enqueue("massmail_plugin.delivery.tasks.drain_account", account_id))


def _enqueue(path: str, *args: int) -> None:
    cluster = conf.get("CLUSTER")
    async_task(path, *args, q_options={**_OPTIONS, **({"cluster": cluster} if cluster else {})})
