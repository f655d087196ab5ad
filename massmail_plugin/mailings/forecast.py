"""When the next mail of a mailing leaves and why not now, and about when the last one will have left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from massmail_plugin import preferences
from massmail_plugin.accounts.models import SenderAccount, accounts_for
from massmail_plugin.accounts.pacing.duration import Estimate, Way, estimate
from massmail_plugin.accounts.pacing.of_account import ration_of
from massmail_plugin.accounts.pacing.ration import decide
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import OPEN
from massmail_plugin.mailings.usage import used_by


@dataclass(frozen=True, slots=True)
class Forecast:
    #: When the next mail may leave; None: never, or nobody knows.
    next_at: datetime | None = None
    #: Why it does not leave at once; None: it does.
    why: Why | None = None
    #: About when the last one will have left. None: only the servers' speed decides it.
    end: Estimate | None = None


def of_account(account: SenderAccount, now: datetime) -> Forecast:
    """Return when the next mail may leave through ``account``."""
    return _forecast([account], 0, now)


def of_start(mailing: Mailing, people: int, vips: int, now: datetime) -> Forecast:
    """Return what will happen if ``mailing``, to so many people, starts at ``now`` or at its start time."""
    accounts = list(accounts_for(mailing.owner_id))
    start = max(now, mailing.start_at) if mailing.start_at else now
    return _divided(accounts, people, vips, start)


def of_run(run: Run, waiting: int, now: datetime, *, with_end: bool = True) -> Forecast:
    """Return how a run goes on that is under way and has ``waiting`` mails left; its end takes longer to find."""
    accounts = run.accounts().filter(state=SenderAccount.State.READY)
    vips = Delivery.objects.filter(run=run, vip__in=[True], state__in=OPEN).count() if run.has_vips else 0
    slower = _slower(run, waiting) if with_end and waiting else 0.0
    return _divided(list(accounts), waiting, vips, now, slower)


def _slower(run: Run, waiting: int) -> float:
    """Return how many times as long it takes because other runs leave through the same accounts.

    They share each account evenly, until the shorter ones have ended.
    """
    rivals = _rivals(run)
    others = Delivery.objects.filter(run__in=rivals, state__in=OPEN).count() if rivals else 0
    return min(waiting + others, waiting * (1 + len(rivals))) / waiting


def _rivals(run: Run) -> list[int]:
    """Return the other runs that leave through the same accounts."""
    running = Run.through_accounts_of(run.mailing.owner_id if run.own_accounts else None)
    return list(running.exclude(pk=run.pk).order_by().values_list("pk", flat=True))


def _divided(
    accounts: Sequence[SenderAccount], people: int, vips: int, now: datetime, slower: float = 1.0
) -> Forecast:
    """Send VIPs through the main accounts if there are any, and all others through the others.

    ``slower``: how many times as long it takes; 0: the end is not asked for.
    """
    mains = [account for account in accounts if account.is_main]
    others = [account for account in accounts if not account.is_main]
    if not mains:
        return _forecast(others, round(people * slower), now)
    parts = [
        _forecast(through, round(number * slower), now)
        for through, number in ((mains, vips), (others, people - vips))
        if through and number
    ]
    if not parts:
        return Forecast()
    first = min(parts, key=lambda part: (part.next_at is None, part.next_at or now))
    ends = [part.end for part in parts]
    known = [end for end in ends if end is not None]
    last = max(known, key=lambda end: end.done_at) if len(known) == len(ends) else None
    return Forecast(first.next_at, first.why, last)


def _forecast(accounts: Sequence[SenderAccount], number: int, now: datetime) -> Forecast:
    """Send ``number`` mails through any of these accounts; 0: only when the next one leaves."""
    site = preferences.load()
    next_at: datetime | None = None
    why: Why | None = None
    ways = []
    for account in accounts:
        ration = ration_of(account, site)
        used = used_by(ration, now)
        ways.append(Way(ration, used.day.number))
        share = decide(ration, now, used, 1)
        at = now if share.count else share.next_at
        if len(ways) == 1 or (at is not None and (next_at is None or at < next_at)):
            next_at, why = at, share.why if not share.count else None
    return Forecast(next_at, why, estimate(number, ways, now) if number else None)
