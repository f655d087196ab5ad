"""The tick: what has to happen each minute, and soon after anybody presses a button."""

from __future__ import annotations

import time

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery import telling
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import clock, routes
from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.running import heartbeats, imports
from massmail_plugin.delivery.running.following import follow
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.mailings import ending, starting
from massmail_plugin.mailings.models import Run
from massmail_plugin.mailings.people import go_on_counting
from massmail_plugin.mailings.states import RUNNING

#: Seconds of one tick in which people are chosen.
_STARTING_SECONDS = 20


def run_tick() -> list[int]:
    """Take up dead workers' mails, start due mailings, follow their states. Returns the accounts with work."""
    heartbeats.beat(Heartbeat.Kind.TICK)
    heartbeats.prune()
    imports.tidy_up()
    # First: to a database that may not be the right one nothing is told.
    if not epoch.may_send():
        return []
    sweep()
    _start_mailings()
    ending.finish_runs()
    ending.reopen_runs()
    running = Run.objects.filter(finished_at=None, mailing__state__in=RUNNING)
    for run in running.select_related("mailing").defer("content"):
        follow(run)
    telling.tell_owners()
    ready = SenderAccount.objects.filter(state=SenderAccount.State.READY)
    return [account.pk for account in ready if routes.has_work(account)]


def _start_mailings() -> None:
    """Start what is due, for a while: to choose a million people takes minutes, in which others wait for this tick."""
    end = time.monotonic() + _STARTING_SECONDS

    def stop() -> bool:
        return time.monotonic() > end

    starting.start_due(clock.now(), stop)
    if go_on_counting(stop) or stop():
        nudge_tick()
