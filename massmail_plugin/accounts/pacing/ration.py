"""The one question that the engine asks: how many mails may leave through an account now, and if none, why and when.

How the engine uses it, inside the transaction of its claim and with the account's row locked::

    ration = ration_of(account)                 # accounts.pacing.of_account
    used = used_by(ration, now)                 # mailings.usage: counts marks in the ledger
    share = decide(ration, now, used, wanted)   # wanted: how many it would take without any limit

Claim ``share.count`` mails, with leases that end at ``share.until`` at the latest. The count is exact: with each mail
marked from its claim on, no sliding window ever holds more than its limit. ``now`` is the database's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from massmail_plugin.accounts.pacing.calendar import Calendar, Closed, Span
from massmail_plugin.accounts.pacing.slowdown import Slowdown
from massmail_plugin.accounts.pacing.spreading import Spacing, room_this_hour, room_today, step_at
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.accounts.pacing.windows import DAY, HOUR, MINUTE, Room, Tally, room_in

_FAR = datetime.max.replace(tzinfo=UTC)
#: The finest step of our databases' clocks.
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Ration:
    """What an account may do. ``None`` is no limit."""

    #: The account's number: it seeds what is drawn, so that all workers draw the same.
    account: int
    per_minute: int | None = None
    per_hour: int | None = None
    #: In any 24 hours and not from midnight to midnight: providers count in either way, and this keeps to both.
    per_day: int | None = None
    #: Of all accounts together.
    system_per_hour: int | None = None
    spread_evenly: bool = False
    spacing: Spacing = field(default_factory=Spacing)
    calendar: Calendar = field(default_factory=Calendar)
    slowdown: Slowdown = field(default_factory=Slowdown)

    @property
    def counts_marks(self) -> bool:
        """Whether its claims must count what has left, and so come one after the other."""
        limits = (
            self.per_minute,
            self.per_hour,
            self.per_day,
            self.system_per_hour,
            self.slowdown.per_minute,
        )
        return bool(self.spacing) or any(limit is not None for limit in limits)

    @property
    def spreads(self) -> bool:
        """Whether there is anything to spread evenly: a minute is too short for it."""
        return self.spread_evenly and (self.per_day is not None or self.per_hour is not None)

    def minute_limit(self, now: datetime) -> tuple[int | None, Why]:
        """Return how many may leave in a minute, and whether that is our limit or the server's wish."""
        slow = self.slowdown.rate(now)
        if slow is not None and (self.per_minute is None or slow < self.per_minute):
            return slow, Why.SERVER_SLOW
        return self.per_minute, Why.PER_MINUTE

    def windows(self, now: datetime) -> Windows:
        """Return since when marks are counted for an answer at ``now``."""
        span = self.calendar.span_at(now)
        return Windows(
            minute=now - MINUTE,
            hour=now - HOUR,
            day=now - DAY,
            # A mark at the very moment belongs to it.
            today=span.opens - _INSTANT if span else None,
            step=step_at(span, now) - _INSTANT if span else None,
        )


@dataclass(frozen=True, slots=True)
class Windows:
    """Since when marks are counted. A mark counts if it is *later* than the moment given here."""

    minute: datetime
    hour: datetime
    day: datetime
    #: Today's opening; None outside of working hours.
    today: datetime | None
    #: The begin of the current step of even spreading; None outside of working hours.
    step: datetime | None


_NONE = Tally()


@dataclass(frozen=True, slots=True)
class Used:
    """What has been used, by marks. Whatever the ration does not limit may stay at its default."""

    minute: Tally = _NONE
    hour: Tally = _NONE
    day: Tally = _NONE
    today: int = 0
    step: int = 0
    #: The newest mark; in the future while a mail is in flight.
    newest: datetime | None = None
    #: The last hour of all accounts together.
    system: Tally = _NONE


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` mails may be claimed now. ``until``: no fence may pass after it (None: it does not close).

    With fewer than wanted, ``why`` says what is in the way. With none, ``next_at`` is when to ask again, as far as
    that can be known; asking earlier or later does no harm.
    """

    count: int
    until: datetime | None = None
    next_at: datetime | None = None
    why: Why | None = None


def decide(ration: Ration, now: datetime, used: Used, wanted: int) -> Share:
    """Return how many of ``wanted`` mails may leave at ``now``, or why none and when to ask again."""
    if ration.slowdown.is_waiting(now):
        return _later(ration, ration.slowdown.resume_at, Why.SERVER_WAIT)
    span = ration.calendar.span_at(now)
    if span is None:
        opening = ration.calendar.next_opening(now)
        return Share(
            0, None, opening, _CLOSED[ration.calendar.why_closed(now)] if opening else Why.NEVER_OPEN
        )
    rooms = list(_rooms(ration, now, used, span))
    count = min([wanted, *(room.number for room, _ in rooms)])
    if count > 0:
        why = next((why for room, why in rooms if room.number == count < wanted), None)
        return Share(count, ration.calendar.closes_at(now), None, why)
    full = [(room.next_at, why) for room, why in rooms if room.number <= 0]
    if not full:
        return Share(0)
    # What lasts longest is what people want to know; a full limit whose end is not known lasts longest of all.
    next_at, why = max(full, key=lambda one: one[0] or _FAR)
    return _later(ration, next_at, why)


def _later(ration: Ration, next_at: datetime | None, why: Why | None) -> Share:
    """No mail now; ``next_at`` is moved into working hours."""
    return Share(0, None, ration.calendar.next_opening(next_at) if next_at else None, why)


def _rooms(ration: Ration, now: datetime, used: Used, span: Span) -> Iterator[tuple[Room, Why]]:
    """Ask each limit of the ration how many mails it lets through."""
    per_minute, why = ration.minute_limit(now)
    if per_minute is not None:
        yield room_in(per_minute, used.minute, MINUTE), why
    if ration.per_hour is not None:
        yield room_in(ration.per_hour, used.hour, HOUR), Why.PER_HOUR
    if ration.per_day is not None:
        yield room_in(ration.per_day, used.day, DAY), Why.PER_DAY
    if ration.system_per_hour is not None:
        yield room_in(ration.system_per_hour, used.system, HOUR), Why.SYSTEM_PER_HOUR
    if ration.spreads:
        yield from _spread(ration, now, used, span)
    if ration.spacing:
        yield _spaced(ration, now, used.newest), Why.SPACING


def _spread(ration: Ration, now: datetime, used: Used, span: Span) -> Iterator[tuple[Room, Why]]:
    """Ask the even spreading: over today's working time, and at a steady pace within the hour."""
    if ration.per_day is not None:
        before = used.today - used.step
        yield (
            room_today(
                ration.per_day, before=before, in_step=used.step, span=span, now=now, account=ration.account
            ),
            Why.SPREADING,
        )
    if ration.per_hour is not None:
        yield (
            room_this_hour(ration.per_hour, in_step=used.step, span=span, now=now, account=ration.account),
            Why.SPREADING,
        )


def _spaced(ration: Ration, now: datetime, newest: datetime | None) -> Room:
    """Return whether the gap after the newest mail is over: one at a time, as the gap is drawn after each."""
    if newest is None:
        return Room(1)
    if newest > now:
        # It is on its way; nobody knows yet when its gap begins.
        return Room(0, now + timedelta(seconds=max(1, ration.spacing.at_least)))
    free_at = newest + ration.spacing.gap_after(ration.account, newest)
    return Room(1) if free_at <= now else Room(0, free_at)


_CLOSED = {Closed.HOURS: Why.HOURS, Closed.DAY_OFF: Why.DAY_OFF, Closed.HOLIDAY: Why.HOLIDAY}
