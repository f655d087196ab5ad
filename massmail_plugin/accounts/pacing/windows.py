"""Limits in sliding windows: no window of a minute, an hour or 24 hours ever holds more marks than its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
#: Any 24 hours: also where a day of the calendar has 23 or 25.
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Tally:
    """The marks in one window: how many, and the oldest one, if anybody has looked for it."""

    number: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """How many mails fit; ``next_at``: when one more does, as far as that is known."""

    number: int
    next_at: datetime | None = None


def room_in(limit: int, used: Tally, window: timedelta) -> Room:
    """Return how many more marks the window that ends now may hold. Never negative: a limit may be lowered any time."""
    left = limit - used.number
    if left > 0:
        return Room(left)
    # If the limit was lowered, the oldest mark's end is too early: asking too early does no harm.
    return Room(0, used.oldest + window if used.oldest else None)


def room_by_domain(limits: Mapping[str, int], used_last_hour: Mapping[str, int]) -> dict[str, int]:
    """Return for each limited recipient domain how many more mails it may get in this hour."""
    return {domain: max(0, limit - used_last_hour.get(domain, 0)) for domain, limit in limits.items()}
