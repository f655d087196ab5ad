"""About how long a number of mails takes through some accounts: day by day, not mail by mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf

from massmail_plugin.accounts.pacing.ration import Ration
from massmail_plugin.accounts.pacing.windows import DAY, HOUR, MINUTE

#: Nobody plans further.
_HORIZON_DAYS = 400
#: Mails a second where only the limit of a day is known: any number does, as it is soon used up.
_SOME_SPEED = 5.0


@dataclass(frozen=True, slots=True)
class Way:
    """An account's ration, and how many mails it has sent in the last 24 hours."""

    ration: Ration
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    done_at: datetime
    #: On how many days mails leave until then.
    days: int


@dataclass(frozen=True, slots=True)
class _Flow:
    """What leaves through one account on one day: steadily from ``start`` to ``end``."""

    day: date
    start: datetime
    end: datetime
    mails: float

    def until(self, moment: datetime) -> float:
        share = (min(moment, self.end) - self.start) / (self.end - self.start)
        return self.mails * max(0.0, share)


def estimate(number: int, ways: Sequence[Way], now: datetime) -> Estimate | None:
    """Return about when ``number`` mails will have left through these accounts together, from ``now`` on.

    None if there is no limit that decides it, but only the servers' speed; or if a year is not enough.
    """
    if not ways or any(
        _per_second(way.ration, len(ways)) == inf and way.ration.per_day is None for way in ways
    ):
        return None
    flows: list[_Flow] = []
    for ahead in range(_HORIZON_DAYS):
        flows += [flow for way in ways if (flow := _flow(way, len(ways), now, ahead))]
        if sum(flow.mails for flow in flows) >= number:
            done_at = _when(number, flows)
            return Estimate(done_at, len({flow.day for flow in flows if flow.start <= done_at}))
    return None


def _per_second(ration: Ration, sharing: int) -> float:
    """Return how fast an account may be; ``sharing`` accounts divide the limit of all accounts together."""
    speeds = [inf]
    if ration.per_minute is not None:
        speeds.append(ration.per_minute / MINUTE.total_seconds())
    if ration.per_hour is not None:
        speeds.append(ration.per_hour / HOUR.total_seconds())
    if ration.system_per_hour is not None:
        speeds.append(ration.system_per_hour / HOUR.total_seconds() / sharing)
    if ration.spacing:
        speeds.append(1 / ration.spacing.mean)
    return min(speeds)


def _flow(way: Way, sharing: int, now: datetime, ahead: int) -> _Flow | None:
    """Return what leaves through one account on the day that is so many days ahead."""
    ration = way.ration
    day = now.astimezone(ration.calendar.zone).date() + timedelta(days=ahead)
    span = ration.calendar.span_of(day)
    if span is None or span.closes <= (start := max(span.opens, now)):
        return None
    seconds = (span.closes - start).total_seconds()
    speed = _per_second(ration, sharing)
    if ration.per_day is None:
        return _Flow(day, start, span.closes, speed * seconds)
    # What was sent yesterday counts until it is 24 hours old.
    left = ration.per_day - (way.sent if start - now < DAY and ahead == 0 else 0)
    mails = min(speed * seconds, left)
    if mails <= 0:
        return None
    if not ration.spread_evenly:
        seconds = min(seconds, mails / min(speed, _SOME_SPEED))
    return _Flow(day, start, start + timedelta(seconds=seconds), mails)


def _when(number: int, flows: Sequence[_Flow]) -> datetime:
    """Return the moment at which the flows together have brought ``number`` mails, to the second."""
    low, high = min(flow.start for flow in flows), max(flow.end for flow in flows)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if sum(flow.until(middle) for flow in flows) >= number:
            high = middle
        else:
            low = middle
    return high
