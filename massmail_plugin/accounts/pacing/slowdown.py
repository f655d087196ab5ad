"""Slowing down when a server says "too fast": wait, go on at half the speed, and return to full speed bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
#: The speed doubles after each so long without a complaint.
QUIET = timedelta(minutes=10)
#: After so many doublings nothing is left of it.
_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class Slowdown:
    """The server's last complaint and what follows from it. Nothing has to be written for it to pass."""

    #: When the wait began.
    since: datetime | None = None
    #: Nothing leaves before.
    resume_at: datetime | None = None
    #: The speed right after the wait, in mails a minute.
    per_minute: int | None = None

    def is_waiting(self, now: datetime) -> bool:
        return self.resume_at is not None and now < self.resume_at

    def rate(self, now: datetime) -> int | None:
        """Return how many mails a minute may leave now; None: as many as otherwise."""
        if self.per_minute is None or self.resume_at is None:
            return None
        doublings = max(0, (now - self.resume_at) // QUIET)
        return None if doublings > _DOUBLINGS else self.per_minute * 2**doublings

    def complained(
        self, now: datetime, *, sent_last_minute: int, retry_after: timedelta = timedelta()
    ) -> Slowdown:
        """Return what follows from a complaint at ``now``. ``retry_after``: how long the server asks us to wait.

        Several mails on their way hear the same complaint: during a wait only what the server asks for counts.
        """
        if self.is_waiting(now) and self.resume_at is not None:
            resume_at = max(self.resume_at, now + min(retry_after, LONGEST_WAIT))
            return Slowdown(self.since, resume_at, self.per_minute)
        wait = min(max(self._next_wait(now), retry_after), LONGEST_WAIT)
        speed = min(sent_last_minute, self.rate(now) or sent_last_minute)
        return Slowdown(now, now + wait, max(1, speed // 2))

    def _next_wait(self, now: datetime) -> timedelta:
        """Twice the last wait, if the server complains again while we are still slow."""
        if self.since is None or self.resume_at is None or self.rate(now) is None:
            return FIRST_WAIT
        return 2 * (self.resume_at - self.since)
