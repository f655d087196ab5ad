"""F17: workers are killed at random places, again and again, until all mails are gone.

``MASSMAIL_TEST_KILLS`` says how often; ``make test-faults`` does it 200 times. A failed run prints the seed with which
``MASSMAIL_TEST_SEED`` makes the same choices again.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db import connection

from massmail_plugin.mailings.models import Mailing
from tests import builders
from tests.acceptance.faults.conftest import time_passes
from tests.acceptance.faults.failpoints import Failpoint
from tests.acceptance.faults.invariants import check
from tests.acceptance.faults.sink import Sink
from tests.acceptance.faults.workers import Worker, Workers

KILLS = int(os.environ.get("MASSMAIL_TEST_KILLS", "15"))
SEED = int(os.environ.get("MASSMAIL_TEST_SEED", random.randrange(1_000_000)))
PEOPLE = 25 * KILLS
WORKERS = 4
CONNECTIONS = 4
#: So many deaths, and those of all workers that are at work then; after that the leases of the dead run out.
KILLS_AT_ONCE = 8

#: None: it is killed from outside, while it does whatever it does.
PLACES = [
    None,
    None,
    None,
    Failpoint("massmail_plugin.delivery.ledger.claiming:claim"),
    Failpoint("massmail_plugin.delivery.ledger.claiming:claim", "after"),
    Failpoint("massmail_plugin.delivery.mails.prepared:Prepared.compose"),
    Failpoint("massmail_plugin.delivery.transports.dialogue:Dialogue.send_body", fault="killed half way"),
    Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send"),
    Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send", "after"),
    Failpoint("massmail_plugin.delivery.keeping.journal:Journal.append"),
    Failpoint("massmail_plugin.delivery.ledger.writing:write"),
    Failpoint("massmail_plugin.delivery.ledger.writing:write", "after"),
    Failpoint("massmail_plugin.delivery.keeping.records:Records.close"),
]


@dataclass
class Slaughter:
    """Keeps workers at work, and sees to it that they die."""

    workers: Workers
    sink: Sink
    chance: random.Random
    kills: int = 0

    def kill(self, number: int) -> None:
        """Let so many workers die, each at another moment; when one has, the next one starts."""
        enough = self.kills + number
        while self.kills < enough:
            while len(self.workers.alive()) < WORKERS:
                self._start()
            if victim := self._from_outside():
                victim.kill()
            else:
                victim = self.workers.wait_for_any()
            self.kills += victim.result is None
        for worker in self.workers.alive():
            worker.kill()
            self.kills += worker.result is None

    def _start(self) -> None:
        place = self.chance.choice(PLACES)
        points = [replace(place, nth=self.chance.randint(1, 12))] if place else []
        self.workers.start("one_pass", *points)

    def _from_outside(self) -> Worker | None:
        """Pick one when some more mails have come; None if that does not happen because workers end."""
        wanted = len(self.sink.mails) + self.chance.randint(1, 20)
        if self.workers.any_ends_before(lambda: len(self.sink.mails) >= wanted):
            return None
        return self.chance.choice(self.workers.alive())


def test_f17_random_kills(workers: Workers, sink: Sink, go_on: Callable[[Mailing], None]) -> None:
    builders.an_account(sink, connections=CONNECTIONS)
    run = builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))
    # A mail is given up when three workers have died of it (F21). Here all die, and of no mail's fault.
    workers.massmail |= {"MAX_ATTEMPTS": 10 * KILLS, "CLAIM_SIZE": 5}
    slaughter = Slaughter(workers, sink, random.Random(SEED))

    while slaughter.kills < KILLS:
        slaughter.kill(min(KILLS_AT_ONCE, KILLS - slaughter.kills))
        assert len(sink.mails) < PEOPLE, "All mails were gone before all workers were dead."
        time_passes()
    go_on(run.mailing)

    states = Counter(builders.states_by_address(run).values())
    copies = Counter(sink.recipients)
    lost = sum(
        email not in copies and state != "in_doubt"
        for email, state in builders.states_by_address(run).items()
    )
    twice = sum(number > 1 for number in copies.values())
    print(
        f"\nSeed {SEED}, {connection.vendor}: {PEOPLE} recipients, {slaughter.kills} kills, {lost} lost, "
        f"{twice} twice, {states['in_doubt']} in doubt"
    )
    check(run, sink, people=PEOPLE, doubts=slaughter.kills * CONNECTIONS, logs=workers.said())
    assert set(states) <= {"accepted", "in_doubt"}, states
