"""What a turn does with the answers that its connections have got."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.keeping.records import Records
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.delivery.turns.events import Crashed, Event, Finished, NotOpened
from massmail_plugin.delivery.turns.senders import Crew
from massmail_plugin.delivery.turns.supply import Supply

#: So many temporary refusals one after the other end a turn.
REFUSALS_IN_A_ROW = 5


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


class Consequences:
    """Keeps the answers at once; what they ask for comes afterwards, because the database may let us wait."""

    def __init__(self, account: SenderAccount, supply: Supply, records: Records, crew: Crew) -> None:
        self._account = account
        self._supply = supply
        self._records = records
        self._crew = crew
        self.drained = Drained()
        #: What nobody has followed yet, with what was kept of it.
        self._unfollowed = deque[tuple[Event, Entry | None]]()
        #: An answer was kept that will stop the account.
        self._is_about_policy = False
        #: Temporary refusals since the last mail that was not refused.
        self._refused_in_a_row = 0

    def keep(self, entry: Entry) -> None:
        """This is the end of a mail's claim."""
        self.drained.handled += 1
        self._records.add(entry)
        self._supply.let_go(entry.delivery, entry.claim_token)

    def keep_unsent(self, entry: Entry) -> None:
        """A mail that was made, and is not to be sent."""
        self.keep(entry)
        self._refused_in_a_row = 0

    def note(self, events: Iterable[Event]) -> None:
        """Keep the answers among ``events``. Asks the database nothing."""
        for event in events:
            if isinstance(event, Finished):
                self._note(event)
            elif isinstance(event, NotOpened | Crashed):
                self._unfollowed.append((event, None))

    def _note(self, event: Finished) -> None:
        delivery, outcome = event.job.delivery, event.outcome
        if outcome.verdict is Verdict.FENCED:
            # The database is to say why. Nothing is lost with it: the mail has not been sent.
            self._unfollowed.append((event, None))
        elif outcome.verdict is Verdict.POLICY and (self._is_about_policy or self.drained.stopped):
            # The account stops already: nobody else's attempt is needed to tell what the policy is about.
            self.keep(outcomes.taken_back(delivery))
        else:
            self._is_about_policy |= outcome.verdict is Verdict.POLICY
            entry = outcomes.entry_for(delivery, outcome)
            self.keep(entry)
            self._unfollowed.append((event, entry))

    def follow(self) -> None:
        """Do what the answers ask for. Raises the error of a transport that has crashed, and what the database says."""
        while self._unfollowed:
            # Taken out afterwards: if one of them breaks the turn, neither it nor the others are forgotten.
            event, entry = self._unfollowed[0]
            match event:
                case Finished():
                    self._finished(event, entry)
                case NotOpened():
                    self._not_opened(event)
                case Crashed():
                    self._crashed(event)
            self._unfollowed.popleft()

    def follow_after_all(self) -> None:
        """The turn has broken and everything is written: addresses and accounts still learn of their answers."""
        for event, entry in self._unfollowed:
            if isinstance(event, Finished) and entry is not None:
                with suppress(DatabaseError, InterfaceError):
                    outcomes.follow(event.job.delivery, event.outcome)
                    outcomes.stop_reason(self._account, event.outcome)

    def stop_because(self, reason: str) -> None:
        """End the turn early, unless the reason is empty; the first one counts."""
        self.drained.stopped = self.drained.stopped or reason

    def _finished(self, event: Finished, entry: Entry | None) -> None:
        delivery, outcome = event.job.delivery, event.outcome
        if outcome.verdict is Verdict.ACCEPTED:
            self._refused_in_a_row = 0
            return
        if entry is None:
            entry = outcomes.entry_for(delivery, outcome)
            self.keep(entry)
        outcomes.follow(delivery, outcome)
        if outcomes.stops_run(entry, outcome):
            for other in self._supply.drop(delivery.run_id):
                self._records.add(outcomes.untried(other, entry))
                self._supply.let_go(other.pk, other.claim_token)
        self.stop_because(outcomes.stop_reason(self._account, outcome) or self._too_many_refusals(outcome))

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
            self.stop_because(outcomes.stop_reason(self._account, event.outcome))

    def _crashed(self, event: Crashed) -> None:
        if event.job is not None:
            # Its attempt counts; one that is past the fence stays there until the sweeper calls it in doubt.
            self._supply.let_go(event.job.delivery.pk, event.job.delivery.claim_token)
        raise event.error
