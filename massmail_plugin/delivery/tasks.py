"""What django-q2 calls. Each task takes plain values, ends soon, and does nothing when there is nothing to do."""

from __future__ import annotations

import time

from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.running import heartbeats, imports
from massmail_plugin.delivery.running.nudges import nudge_account, nudge_import, nudge_sign_ups
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.single import sign_up_mails
from massmail_plugin.delivery.turns.worker import drain

#: Seconds that a task waits for the time of an account's next mail before it lets others have its worker.
_WAIT_SECONDS = 5.0
#: What is due later than this is found by a tick.
_LONGEST_WAIT = 60.0


def tick() -> None:
    """Start what is due and nudge the accounts and the imports that have work."""
    for account_id in run_tick():
        nudge_account(account_id)
    for import_id in imports.waiting():
        nudge_import(import_id)
    if sign_up_mails.are_waiting():
        nudge_sign_ups()


def send_sign_up_mails() -> None:
    """Send the confirmation mails of sign-ups."""
    sign_up_mails.send_waiting(stop=heartbeats.Pulse(Heartbeat.Kind.CLUSTER))


def drain_account(account_id: int, due: float | None = None) -> None:
    """Send for a while through one account; then ask for another turn, or look after what is finished.

    ``due``: see ``nudge_account``. Between two mails of an account that pauses after each no worker is kept waiting
    for long: this task steps back and asks for itself again.
    """
    pulse = heartbeats.Pulse(Heartbeat.Kind.CLUSTER)
    if due is not None and not _has_come(due, pulse):
        nudge_account(account_id, due)
        return
    drained = drain(account_id, stop=pulse)
    if drained.more:
        nudge_account(account_id)
        return
    # The accounts that this names wait for the next scheduled tick, so that an unreachable server is tried once a
    # minute and not without end.
    run_tick()
    # One that has waited in vain ends here: somebody else sends for this account, and there must not be ever more.
    goes_on = drained.handled or due is None
    if goes_on and drained.next_in is not None and drained.next_in <= _LONGEST_WAIT:
        nudge_account(account_id, clock.now().timestamp() + drained.next_in)


def _has_come(due: float, pulse: heartbeats.Pulse) -> bool:
    """Wait a little for this time. Returns whether it has come."""
    left = due - clock.now().timestamp()
    if left > 0:
        pulse()
        time.sleep(min(left, _WAIT_SECONDS))
    return left <= _WAIT_SECONDS


def run_import(import_id: int) -> None:
    """Work on one import into a target list for a while; then ask for another turn."""
    if imports.work_for_a_while(import_id, stop=heartbeats.Pulse(Heartbeat.Kind.CLUSTER)):
        nudge_import(import_id)
