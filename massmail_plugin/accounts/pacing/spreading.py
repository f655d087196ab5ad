"""Even spreading over the working time, and gaps drawn at random.

The working time is cut into steps of five minutes. What is left of the quota when a step begins is spread over what is
left of the time. So a mailing that starts at two o'clock does not send a morning's mails at once, nothing is lost when
workers ask only once a minute, and with enough to do the quota is used up at closing time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor

from massmail_plugin.accounts.pacing.calendar import Span
from massmail_plugin.accounts.pacing.windows import HOUR, Room

STEP = timedelta(minutes=5)
#: Workers ask once a minute; what is due until they ask again may leave now.
TICK = timedelta(minutes=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Multiples of it, without their whole part, fill the range 0 to 1 more evenly than chance does (Weyl).
_GOLDEN = 0.6180339887498949
#: So that accounts do not all round up in the same steps.
_OTHER = 0.7548776662466927
_FLOAT_ERROR = 1e-9
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Spacing:
    """Seconds between one mail and the next: drawn anew each time between these two. 0 and 0: none."""

    at_least: float = 0
    at_most: float = 0

    def __bool__(self) -> bool:
        return self.at_most > 0

    @property
    def mean(self) -> float:
        return (self.at_least + self.at_most) / 2

    def gap_after(self, account: int, mark: datetime) -> timedelta:
        """Return the gap after the mail with this mark: the same in each worker, so that asking often gains nothing."""
        draw = random.Random(f"{account}/{mark.astimezone(UTC).isoformat()}")  # noqa: S311 - nobody gains by guessing
        return timedelta(seconds=draw.uniform(self.at_least, self.at_most))


def step_at(span: Span, now: datetime) -> datetime:
    """Return when the current step began; ``now`` lies in ``span``."""
    return span.opens + (now - span.opens) // STEP * STEP


def room_today(per_day: int, *, before: int, in_step: int, span: Span, now: datetime, account: int) -> Room:
    """Spread ``per_day`` mails over ``span``, which ``now`` lies in.

    ``before``: how many marks there are from the opening to the begin of this step; ``in_step``: since then.
    """
    start = step_at(span, now)
    rate = max(0, per_day - before) / (span.closes - start).total_seconds()
    return _room(rate, in_step, start, min(start + STEP, span.closes), now, account)


def room_this_hour(per_hour: int, *, in_step: int, span: Span, now: datetime, account: int) -> Room:
    """Let mails leave at a steady ``per_hour``. Longer pauses are not made up for: an hour slides."""
    start = step_at(span, now)
    rate = per_hour / HOUR.total_seconds()
    return _room(rate, in_step, start, min(start + STEP, span.closes), now, account)


def _room(rate: float, in_step: int, start: datetime, end: datetime, now: datetime, account: int) -> Room:
    """Return what may still leave in the step from ``start`` to ``end`` at ``rate`` mails a second."""
    rounding = _rounding(start, account)
    elapsed = (min(now + TICK, end) - start).total_seconds()
    number = floor(rate * elapsed + rounding + _FLOAT_ERROR) - in_step
    if number > 0:
        return Room(number)
    if rate * (end - start).total_seconds() + rounding < in_step + 1:
        return Room(0, end)
    due = start + timedelta(seconds=(in_step + 1 - rounding) / rate) - TICK
    return Room(0, min(max(due, now) + _INSTANT, end))


def _rounding(start: datetime, account: int) -> float:
    """Return a number from 0 to 1 for a step: fractions of a mail are rounded up in that share of the steps."""
    return ((start - _EPOCH) // STEP * _GOLDEN + account * _OTHER) % 1
