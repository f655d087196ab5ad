"""One turn: mails of one account through several connections at a time.

This thread claims, makes the mails, passes the fence for them and writes down what became of them, and between all
that it lets the connections (:mod:`massmail_plugin.delivery.senders`) talk to the server.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from django.db import DatabaseError, InterfaceError

from massmail_plugin import conf
from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery import ledger, outcomes
from massmail_plugin.delivery.events import Asks, Crashed, Event, Finished, NotOpened
from massmail_plugin.delivery.records import Records
from massmail_plugin.delivery.senders import Crew
from massmail_plugin.delivery.supply import Supply
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState

#: So many temporary refusals one after the other end a turn.
REFUSALS_IN_A_ROW = 5

#: Seconds after which a waiting turn looks whether it is to stop, or a lease is to be renewed.
_LOOK_UP_SECONDS = 5.0

#: Seconds for which mails are made at a time; then the connections have their turn.
_COMPOSING_SECONDS = 0.002

#: Mails that wait at the fence wait for the others, to share a commit with them: as long as one of them comes within so
#: many seconds of the one before, and no longer than so many seconds in all.
_GATHERING_SECONDS = 0.001
_LONGEST_GATHERING = 0.02


@dataclass(slots=True)
class Drained:
    """What one turn did."""

    handled: int = 0
    #: There is more to do for this account, now.
    more: bool = False
    #: Why it stopped early, for people; empty if it did not.
    stopped: str = ""
    #: Seconds after which the account's own pace lets more leave; None: nobody knows, or there is more to do now.
    next_in: float | None = None


class Turn:
    """One turn, from its first claim to its last answer. Raises ``JournalUnusable`` when it is made."""

    def __init__(self, account: SenderAccount, end: float, stop: Callable[[], bool]) -> None:
        self._account = account
        self._end = end
        self._stop = stop
        self._drained = Drained()
        self._supply = Supply(account)
        self._records = Records()
        self._crew = Crew(account)
        #: What the senders have said and nobody has followed yet.
        self._unread = deque[Event]()
        #: Mails that wait at the fence, and since when.
        self._asking: list[Asks] = []
        self._asking_since = 0.0
        #: Mails given to a connection so far.
        self._begun = 0
        #: Temporary refusals since the last mail that was not refused.
        self._refused_in_a_row = 0
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
            self._note_answers(0)
            raise
        finally:
            self._crew.dismiss(patiently=patiently)
            try:
                self._records.close(patiently=patiently)
            finally:
                ledger.give_back(self._supply.held())
        return self._drained

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
        if self._asking:
            return _GATHERING_SECONDS
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
        is_over = self._begun and time.monotonic() >= self._end
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
            self._note_unsent(self._supply.compose())
            self._hand_out()
            if time.monotonic() >= end:
                break

    def _hand_out(self) -> None:
        while self._crew.idle and self._supply.has_ready() and self._goes_on():
            self._crew.hand(self._supply.take())
            self._begun += 1

    def _wants_to_compose(self) -> bool:
        return self._goes_on() and self._supply.wants_to_compose(len(self._crew), self._crew.busy.values())

    def _note_unsent(self, entry: ledger.Entry | None) -> None:
        if entry is not None:
            self._note(entry)
            self._refused_in_a_row = 0

    def _note(self, entry: ledger.Entry) -> None:
        self._drained.handled += 1
        self._records.add(entry)
        self._supply.let_go(entry.delivery, entry.claim_token)

    def _take(self, events: list[Event]) -> None:
        """Follow what the senders have said. Outcomes go first: they are kept before anything new is risked."""
        self._unread.extend(events)
        while self._unread:
            # Taken out one by one: if one of them breaks the turn, the others are not forgotten.
            match event := self._unread.popleft():
                case Finished():
                    self._finished(event)
                case NotOpened():
                    self._not_opened(event)
                case Crashed():
                    self._crashed(event)
        self._hand_out()
        asking = [event for event in events if isinstance(event, Asks)]
        if asking and not self._asking:
            self._asking_since = time.monotonic()
        self._asking += asking
        if self._asking and self._has_gathered(events):
            questions, self._asking = self._asking, []
            self._answer(questions)
        self._records.write_if_due(is_idle=not self._crew.busy)

    def _has_gathered(self, events: list[Event]) -> bool:
        """Whether nobody else will soon come to the fence, so that it can be passed by those who wait for it."""
        if time.monotonic() - self._asking_since >= _LONGEST_GATHERING:
            return True
        are_all = len(self._asking) == len(self._crew.busy)
        if self._wants_to_compose():
            return are_all and not self._crew.idle
        return are_all or not events

    def _finished(self, event: Finished) -> None:
        delivery, outcome = event.job.delivery, event.outcome
        if outcome.verdict is Verdict.ACCEPTED:
            self._note(outcomes.entry_for(delivery, outcome))
            self._refused_in_a_row = 0
        elif outcome.verdict is Verdict.POLICY and self._drained.stopped:
            # The account has stopped already: nobody else's attempt is needed to tell what the policy is about.
            self._note(outcomes.taken_back(delivery))
        else:
            self._refused(delivery, outcome)

    def _refused(self, delivery: Delivery, outcome: Outcome) -> None:
        entry = outcomes.entry_for(delivery, outcome)
        # First of all: what follows asks the database, which may be away.
        self._note(entry)
        outcomes.follow(delivery, outcome)
        if outcomes.stops_run(entry, outcome):
            for other in self._supply.drop(delivery.run_id):
                self._records.add(outcomes.untried(other, entry))
                self._supply.let_go(other.pk, other.claim_token)
        self._stop_because(outcomes.stop_reason(self._account, outcome) or self._too_many_refusals(outcome))

    def _stop_because(self, reason: str) -> None:
        self._drained.stopped = self._drained.stopped or reason

    def _too_many_refusals(self, outcome: Outcome) -> str:
        """Return why to stop if one recipient after the other is refused for now: then it is the server's trouble.

        A server that is out of order for half an hour must not use up the attempts of a whole list.
        """
        is_refused = outcome.verdict is Verdict.TEMPORARY
        self._refused_in_a_row = self._refused_in_a_row + 1 if is_refused else 0
        return outcome.reply if self._refused_in_a_row >= REFUSALS_IN_A_ROW else ""

    def _not_opened(self, event: NotOpened) -> None:
        if self._crew:
            # The server takes no more connections than this; many allow only a few.
            self._crew.limit = len(self._crew)
        if not self._crew or outcomes.asks_for_fewer_mails(event.outcome):
            self._stop_because(outcomes.stop_reason(self._account, event.outcome))

    def _crashed(self, event: Crashed) -> None:
        if event.job is not None:
            # Its attempt counts; one that is past the fence stays there until the sweeper calls it in doubt.
            self._supply.let_go(event.job.delivery.pk, event.job.delivery.claim_token)
        raise event.error

    def _answer(self, questions: list[Asks]) -> None:
        """Let those mails be sent that may be, with one commit for all that wait."""
        if not questions:
            return
        try:
            allowed = self._records.commit_to_send([question.job.delivery for question in questions])
        except BaseException:
            # Whether it was committed or not, none of them leaves.
            for question in questions:
                question.sender.answer(False)
                taken_back = outcomes.taken_back(question.job.delivery)
                self._records.add(replace(taken_back, past_fence=True))
            raise
        for question in questions:
            delivery = question.job.delivery
            # Not by its number alone: two claims of one mail may stand here together, after a sleep past the lease.
            question.sender.answer(delivery.pk in allowed and _has_passed(delivery))

    def _keep_leases(self) -> None:
        if time.monotonic() >= self._renew_at:
            ledger.renew(self._supply.held(), self._supply.closes_at)
            self._renew_at = time.monotonic() + self._lease_seconds / 3

    def _finish_what_left(self) -> None:
        """After a fault of ours: mails past the fence still get the server's answer, and it is kept."""
        self._crew.abandon()
        self._note_answers(0)
        while any(_has_passed(job.delivery) for job in self._crew.busy.values()):
            self._note_answers(_LOOK_UP_SECONDS)

    def _note_answers(self, seconds: float) -> None:
        """Keep what became of mails that were on their way; no other may leave any more."""
        for event in [*self._unread, *self._crew.listen(seconds)]:
            if isinstance(event, Finished) and event.outcome.verdict is not Verdict.FENCED:
                self._note(outcomes.entry_for(event.job.delivery, event.outcome))
            elif isinstance(event, Asks):
                event.sender.answer(False)
        self._unread.clear()


def _has_passed(delivery: Delivery) -> bool:
    """Whether this claim of the mail has passed the fence."""
    return delivery.state == DeliveryState.HANDING
