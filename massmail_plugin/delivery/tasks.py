"""What django-q2 calls. Each task takes plain values, ends soon, and does nothing when there is nothing to do."""

from __future__ import annotations

from massmail_plugin.delivery import heartbeats
from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.nudges import nudge_account
from massmail_plugin.delivery.ticker import run_tick
from massmail_plugin.delivery.worker import drain


def tick() -> None:
    """Start what is due and nudge the accounts that have work."""
    for account_id in run_tick():
        nudge_account(account_id)


def drain_account(account_id: int) -> None:
    """Send for a while through one account; then ask for another turn, or look after what is finished."""
    if drain(account_id, stop=heartbeats.Pulse(Heartbeat.Kind.CLUSTER)).more:
        nudge_account(account_id)
        return
    for other_id in run_tick():
        # This account has nothing to do, or had to stop: it waits for the next scheduled tick, so that an
        # unreachable server is tried once a minute and not without end.
        if other_id != account_id:
            nudge_account(other_id)
