"""The mails of a turn before a connection has them: claimed, and some of them made ahead."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import Counter, deque
from collections.abc import Collection

from django.db import InterfaceError, OperationalError

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.compiled import RenderFailed
from massmail_plugin.content.headers import clean_header
from massmail_plugin.delivery.ledger import claiming, clock
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.delivery.ledger.suspects import is_suspect
from massmail_plugin.delivery.mails.prepared import Prepared
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.delivery.turns.events import Job
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState

logger = logging.getLogger("massmail_plugin.delivery")

#: Mails claimed at a time at most, however many connections there are: others want some too.
_LARGEST_CLAIM = 1000
#: Seconds that the mails of one claim should last, at least and at most.
_CLAIM_LASTS = (1.0, 5.0)

#: Seconds between two claims of a turn that finds nothing to claim.
_SHORTEST_PAUSE = 0.05


class Supply:
    """Claims and makes mails just ahead of the connections that will send them."""

    def __init__(self, account: SenderAccount) -> None:
        self._account = account
        self._size = conf.get("CLAIM_SIZE")
        #: When the last claim was made; the first one is as large as the setting says.
        self._claimed_at = time.monotonic() - _CLAIM_LASTS[0]
        #: Claimed and not looked at yet, each with what its claim has loaded.
        self._claimed: deque[tuple[Delivery, Prepared]] = deque()
        #: Made and waiting for a connection.
        self._ready: deque[Job] = deque()
        #: How many this turn has claimed of each run.
        self._taken: Counter[int] = Counter()
        #: When to ask for more after there was nothing to claim, by the monotonic clock; None: not in this turn.
        self._ask_again_at: float | None = 0.0
        #: No lease may be renewed beyond this; None: there is no such end.
        self.closes_at: dt.datetime | None = None
        #: Claimed by this turn, and not yet ended, by claim: a turn that has slept past its lease may have lost a mail
        #: and claimed it again.
        self._held: dict[tuple[int, str], Delivery] = {}
        #: Those of them that may have killed a worker.
        self._suspects = set[tuple[int, str]]()

    def __len__(self) -> int:
        return len(self._claimed) + len(self._ready)

    def refill(self, connections: int) -> None:
        """Claim more, if the claimed mails would not last for one round of all connections."""
        if self.is_exhausted() or len(self._claimed) >= connections:
            return
        self._fit_size()
        claimed = claiming.claim(self._account, self._size, turn=self._taken)
        self._ask_again_at = 0.0 if claimed else _on_our_clock(claimed.next_at)
        for delivery in claimed:
            self._hold(delivery)
        if claimed:
            # Not from a claim after closing time, which knows of no end: those before it are still held.
            self.closes_at = claimed.closes_at
            prepared = Prepared(claimed)
            self._claimed.extend((delivery, prepared) for delivery in sorted(claimed, key=_turn))

    def _fit_size(self) -> None:
        """Claim so much that it lasts for some seconds: few claims, and something left for other workers."""
        lasted, self._claimed_at = time.monotonic() - self._claimed_at, time.monotonic()
        if lasted < _CLAIM_LASTS[0]:
            self._size = min(4 * self._size, _LARGEST_CLAIM)
        elif lasted > _CLAIM_LASTS[1]:
            self._size = max(self._size // 2, conf.get("CLAIM_SIZE"))

    def is_exhausted(self) -> bool:
        """Whether there is nothing more to claim now."""
        return self._ask_again_at is None or time.monotonic() < self._ask_again_at

    def pause(self) -> float | None:
        """Return the seconds until more can be claimed, as far as that is known."""
        return None if self._ask_again_at is None else max(0.0, self._ask_again_at - time.monotonic())

    def has_ready(self) -> bool:
        return bool(self._ready)

    def wants_to_compose(self, ahead: int, in_flight: Collection[Job]) -> bool:
        """Whether the next mail should be made now, so that ``ahead`` are ready."""
        if not self._claimed or len(self._ready) >= ahead:
            return False
        if not self._suspects:
            return True
        # What may have killed a worker is made and sent alone: if it does so again, no other can have been it.
        others = [job.delivery for job in (*in_flight, *self._ready)]
        return not others or not any(is_suspect(delivery) for delivery in (self._claimed[0][0], *others))

    def compose(self) -> Entry | None:
        """Make the next mail. Returns the entry of one that is not to be sent."""
        # Taken out first: if this one kills the worker, its attempt must count, or it would do so for ever.
        delivery, prepared = self._claimed.popleft()
        self.let_go(delivery.pk, delivery.claim_token)
        try:
            made = _make(self._account, prepared, delivery)
        except (OperationalError, InterfaceError):
            # The database is away, which is no fault of this mail: it is given back with the others.
            self._hold(delivery)
            raise
        self._hold(delivery)
        if isinstance(made, Entry):
            return made
        self._ready.append(made)
        return None

    def _hold(self, delivery: Delivery) -> None:
        claim = delivery.pk, delivery.claim_token
        self._held[claim] = delivery
        if is_suspect(delivery):
            self._suspects.add(claim)

    def held(self) -> list[Delivery]:
        """Return what this turn has claimed and not let go."""
        return list(self._held.values())

    def let_go(self, delivery: int, claim_token: str) -> None:
        """This claim has come to its end."""
        self._held.pop((delivery, claim_token), None)
        self._suspects.discard((delivery, claim_token))

    def take(self) -> Job:
        """Return the next mail that has been made."""
        return self._ready.popleft()

    def drop(self, run_id: int) -> list[Delivery]:
        """Forget the mails of a run that must not go on, and return them."""
        mails = [delivery for delivery, _prepared in self._claimed] + [job.delivery for job in self._ready]
        self._claimed = deque(item for item in self._claimed if item[0].run_id != run_id)
        self._ready = deque(job for job in self._ready if job.delivery.run_id != run_id)
        return [delivery for delivery in mails if delivery.run_id == run_id]


def _on_our_clock(moment: dt.datetime | None) -> float | None:
    """Return a time of the database's clock as one of this process's own, which nobody sets."""
    if moment is None:
        return None
    return time.monotonic() + max(_SHORTEST_PAUSE, (moment - clock.now()).total_seconds())


def _turn(delivery: Delivery) -> tuple[bool, int]:
    """Suspects first, then by number: that is how the sweeper tells whose turn it was when a worker died."""
    return not is_suspect(delivery), delivery.pk


def _make(account: SenderAccount, prepared: Prepared, delivery: Delivery) -> Job | Entry:
    if fault := prepared.fault(delivery):
        return outcomes.entry_for(delivery, Outcome(Verdict.TEMPORARY, fault))
    if reason := prepared.changed_since_start(delivery):
        return outcomes.left_out(delivery, reason)
    try:
        return Job(delivery, prepared.compose(account, delivery))
    except (OperationalError, InterfaceError):
        raise  # The database is busy or away; the mail is as good as before.
    except Exception as error:
        # The host's own properties run here and may raise anything; that must stop nobody else's mail.
        if not isinstance(error, RenderFailed):
            logger.exception("Delivery %s could not be composed", delivery.pk)
        detail = clean_header(f"{type(error).__name__}: {error}", 1000)
        return Entry(delivery.pk, delivery.claim_token, DeliveryState.FAILED, detail=detail)
