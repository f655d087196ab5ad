"""One turn: mails of one account through several connections at a time.

This thread claims, makes the mails, passes the fence for them and writes down what became of them, and between all
that it lets the connections (:mod:`massmail_plugin.delivery.turns.senders`) talk to the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connection

from massmail_plugin import conf
from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.keeping.patience import Patience
from massmail_plugin.delivery.keeping.records import Records
from massmail_plugin.delivery.ledger import leases
from massmail_plugin.delivery.turns.consequences import Consequences, Drained
from massmail_plugin.delivery.turns.events import Asks, Event
from massmail_plugin.delivery.turns.gate import GATHERING_SECONDS, Gate, has_passed
from massmail_plugin.delivery.turns.senders import Crew
from massmail_plugin.delivery.turns.supply import Supply

#: Seconds after which a waiting turn looks whether it is to stop, or a lease is to be renewed.
_LOOK_UP_SECONDS = 5.0

#: Seconds for which mails are made at a time; then the connections have their turn.
_COMPOSING_SECONDS = 0.002

#: Seconds for which the database may be away at the end of a turn before the rest is left to journal and sweeper.
_PATIENCE_SECONDS = 300.0


class Turn:
    """One turn, from its first claim to its last answer. Raises ``JournalUnusable`` when it is made."""

    def __init__(self, account: SenderAccount, end: float, stop: Callable[[], bool]) -> None:
        self._account = account
        self._end = end
        self._stop = stop
        self._supply = Supply(account)
        self._crew = Crew(account)
        try:
            self._records = Records()
        except BaseException:
            self._crew.dismiss()
            raise
        self._gate = Gate(self._records, self._crew)
        self._consequences = Consequences(account, self._supply, self._records, self._crew)
        self._drained = self._consequences.drained
        #: Mails given to a connection so far.
        self._begun = 0
        self._lease_seconds: float = conf.get("LEASE_SECONDS")
        self._renew_at = time.monotonic() + self._lease_seconds / 3

    def run(self) -> Drained:
        patiently = True
        try:
            self._work()
        except Exception as error:
            self._finish_what_left()
            # Our own mistake or the database's; the owner must not wait without a word.
            with suppress(DatabaseError, InterfaceError):
                faults.note(self._account, f"{type(error).__name__}: {error}")
            raise
        except BaseException:
            # SystemExit is what django-q2 raises when a task is out of time: it must not take longer still.
            patiently = False
            if not connection.in_atomic_block:
                # The signal may have come in the middle of a query: psycopg would refuse every other one.
                connection.close()
            self._note_answers(0)
            raise
        finally:
            self._crew.dismiss(patiently=patiently)
            self._write_down(patiently=patiently)
        return self._drained

    def _write_down(self, *, patiently: bool) -> None:
        """Let nothing of what is known be forgotten, and give back what was not tried."""
        patience = Patience(_PATIENCE_SECONDS if patiently else 0)
        try:
            self._records.close(patience)
        finally:
            patience.wait_through(lambda: leases.give_back(self._supply.held()))
            if patiently:
                self._consequences.follow_after_all()

    @property
    def ended_early(self) -> bool:
        """Whether it ended for no other reason than the time."""
        # What was claimed and not begun has been given back.
        return not self._drained.stopped and bool(self._supply or not self._supply.is_exhausted())

    @property
    def next_in(self) -> float | None:
        """Return the seconds until more can be claimed, if its pace was all that ended it."""
        return None if self._drained.stopped else self._supply.pause() or None

    def _work(self) -> None:
        while True:
            self._feed()
            pause = self._pause()
            if pause is None:
                return
            self._take(self._crew.listen(min(pause, max(0.0, self._renew_at - time.monotonic()))))
            self._keep_leases()

    def _pause(self) -> float | None:
        """Return for how many seconds to wait for the senders; None: there is nothing more to do in this turn."""
        if self._wants_to_compose():
            return 0
        if self._gate:
            return GATHERING_SECONDS
        if self._crew.busy or (self._supply and self._goes_on()):
            return _LOOK_UP_SECONDS
        more_in = self._supply.pause() if self._goes_on() else None
        if more_in is None or time.monotonic() + more_in >= self._end:
            return None
        return min(more_in, _LOOK_UP_SECONDS)

    def _goes_on(self) -> bool:
        """Whether mails may be begun. One at least is, or a server that greets slowly would never get any."""
        # Asked at every look, also when the time is over: callers show by it that the turn lives.
        is_stopping = self._stop()
        # People who are left out when their mail is made count too.
        is_over = (self._begun or self._drained.handled) and time.monotonic() >= self._end
        return not (self._drained.stopped or is_over or is_stopping)

    def _feed(self) -> None:
        """Make mails ahead, and give each connection that has none its next."""
        if not self._goes_on():
            return
        self._supply.refill(self._crew.limit)
        self._crew.hire(len(self._supply) + len(self._crew.busy))
        self._hand_out()
        end = time.monotonic() + _COMPOSING_SECONDS
        while self._wants_to_compose():
            if entry := self._supply.compose():
                self._consequences.keep_unsent(entry)
            self._hand_out()
            if time.monotonic() >= end:
                break

    def _hand_out(self) -> None:
        while self._crew.idle and self._supply.has_ready() and self._goes_on():
            self._crew.hand(self._supply.take())
            self._begun += 1

    def _wants_to_compose(self) -> bool:
        return self._goes_on() and self._supply.wants_to_compose(len(self._crew), self._crew.busy.values())

    def _take(self, events: list[Event]) -> None:
        """Follow what the senders have said. Answers go first: they are kept before anything new is risked."""
        self._gate.admit(events)
        self._consequences.note(events)
        self._consequences.follow()
        self._hand_out()
        if self._gate.has_gathered(is_quiet=not events, more_are_made=self._wants_to_compose()):
            self._gate.answer()
        self._records.write_if_due(is_idle=not self._crew.busy)

    def _keep_leases(self) -> None:
        if time.monotonic() >= self._renew_at:
            leases.renew(self._supply.held(), self._supply.closes_at)
            self._renew_at = time.monotonic() + self._lease_seconds / 3

    def _finish_what_left(self) -> None:
        """After a fault of ours: mails past the fence still get the server's answer, and it is kept."""
        self._crew.abandon()
        self._note_answers(0)
        while any(has_passed(job.delivery) for job in self._crew.busy.values()):
            self._note_answers(_LOOK_UP_SECONDS)

    def _note_answers(self, seconds: float) -> None:
        """Keep what became of mails that were on their way; no other may leave any more."""
        events = self._crew.listen(seconds)
        self._consequences.note(events)
        for event in events:
            if isinstance(event, Asks):
                event.sender.answer(False)
