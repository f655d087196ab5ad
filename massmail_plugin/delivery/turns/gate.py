"""The mails of a turn that stand at the fence: they wait for each other, because a commit waits for the disk."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from massmail_plugin.delivery.keeping.records import Records
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.delivery.turns.events import Asks, Event
from massmail_plugin.delivery.turns.senders import Crew
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState

#: They wait as long as one of them comes within so many seconds of the one before, and no longer than so many in all.
GATHERING_SECONDS = 0.001
_LONGEST_GATHERING = 0.02


class Gate:
    """Lets those mails be sent that may be, with one commit for all that wait."""

    def __init__(self, records: Records, crew: Crew) -> None:
        self._records = records
        self._crew = crew
        self._waiting: list[Asks] = []
        self._since = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def admit(self, events: Iterable[Event]) -> None:
        """Let those wait among ``events`` who ask."""
        asking = [event for event in events if isinstance(event, Asks)]
        if asking and not self._waiting:
            self._since = time.monotonic()
        self._waiting += asking

    def has_gathered(self, *, is_quiet: bool, more_are_made: bool) -> bool:
        """Whether nobody else will soon come, so that the fence can be passed by those who wait for it."""
        if not self._waiting:
            return False
        if time.monotonic() - self._since >= _LONGEST_GATHERING:
            return True
        are_all = len(self._waiting) == len(self._crew.busy)
        if more_are_made:
            return are_all and not self._crew.idle
        return are_all or is_quiet

    def answer(self) -> None:
        """Ask the fence, and tell everybody who waits. Raises what the database says: then none of them leaves."""
        questions, self._waiting = self._waiting, []
        try:
            allowed = self._records.commit_to_send([question.job.delivery for question in questions])
        except BaseException:
            # Whether it was committed or not.
            for question in questions:
                question.sender.answer(False)
                taken_back = outcomes.taken_back(question.job.delivery)
                self._records.add(replace(taken_back, past_fence=True))
            raise
        for question in questions:
            delivery = question.job.delivery
            # Not by its number alone: two claims of one mail may stand here together, after a sleep past the lease.
            question.sender.answer(delivery.pk in allowed and has_passed(delivery))


def has_passed(delivery: Delivery) -> bool:
    """Whether this claim of the mail has passed the fence."""
    return delivery.state == DeliveryState.HANDING
