"""Which mails a claim takes: of each run its share, and of no recipient domain more than its limit."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, QuerySet

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.accounts.pacing.windows import room_by_domain
from massmail_plugin.delivery.ledger import routes
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.usage import used_by_domain
from massmail_plugin.preferences import MailPreferences

#: One of so many mails is another attempt while others wait for their first: one that was refused must not wait until
#: everybody else has had theirs. Only a few at once, or a provider that refuses everything would fill the claims.
_RETRY_ONE_IN, _MOST_RETRIES = 10, 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What the site allows, besides what is counted before anything is chosen."""

    #: Mails an hour by recipient domain, through all accounts together.
    domains: dict[str, int]
    #: Mails of each run that a worker's turn may take; None: no limit.
    per_turn: int | None

    @classmethod
    def of_site(cls, site: MailPreferences) -> Limits:
        domains = {limit.domain: limit.per_hour for limit in site.domain_limits.all()}
        return cls(domains, site.per_batch_limit)


class Choice:
    """Chooses and locks the mails of one claim, within its transaction."""

    def __init__(
        self,
        account: SenderAccount,
        peers: routes.Peers,
        limits: Limits,
        now: dt.datetime,
        turn: Counter[int],
    ) -> None:
        self._account = account
        self._peers = peers
        self._limits = limits
        self._now = now
        #: What the turn has taken of each run, with this claim.
        self.turn = turn
        #: The runs that mails may be of, by number.
        self.runs: dict[int, Run] = {}
        self._ids: list[int] = []
        #: How many more mails the limited domains may get in this hour.
        self._rooms: dict[str, int] = {}
        #: Some run has had all the mails that it may have in one go.
        self._has_met_turn_limit = False

    def take(self, number: int) -> list[int]:
        """Return the numbers of up to ``number`` mails, locked where the database can do so."""
        if number <= 0:
            return []
        if domains := self._limits.domains:
            self._rooms = room_by_domain(domains, used_by_domain(list(domains), self._now))
        # Its content, which may be large, when somebody asks for it.
        running = routes.runs_through(self._account).select_related("mailing__campaign").defer("content")
        self.runs = {run.pk: run for run in running.order_by()}
        runs = list(self.runs.values())
        # In another order each time: with one mail at a time, too, each run has its share in the end.
        random.shuffle(runs)
        while runs and len(self._ids) < number:
            runs = self._take_round(runs, number - len(self._ids))
        return self._ids

    def why_none(self) -> Why | None:
        """Return what kept mails from being taken, if there were none."""
        if self._has_met_turn_limit:
            return Why.PER_TURN
        is_full = any(room <= 0 for room in self._rooms.values())
        return Why.PER_DOMAIN if is_full and routes.has_work(self._account) else None

    def _take_round(self, runs: list[Run], number: int) -> list[Run]:
        """Take ``number`` mails in equal shares. Returns the runs that may have more."""
        end = len(self._ids) + number
        hungry = []
        for place, run in enumerate(runs):
            share = -(-(end - len(self._ids)) // (len(runs) - place))
            if share and self._take_of(run, share) == share:
                hungry.append(run)
        return hungry

    def _take_of(self, run: Run, share: int) -> int:
        """Take up to ``share`` mails of one run, first attempts first. Returns how many."""
        share = self._left_in_turn(run, share)
        retries = min((share + random.randrange(_RETRY_ONE_IN)) // _RETRY_ONE_IN, _MOST_RETRIES)  # noqa: S311
        deferred, queued = routes.deferred(self._now), routes.queued()
        taken = self._take_waiting(run, deferred, min(retries, share))
        taken += self._take_waiting(run, queued, share - taken)
        taken += self._take_waiting(run, deferred, share - taken)
        self.turn[run.pk] += taken
        return taken

    def _left_in_turn(self, run: Run, share: int) -> int:
        limit = self._limits.per_turn
        if limit is None:
            return share
        left = max(0, limit - self.turn[run.pk])
        self._has_met_turn_limit |= left < share
        return min(share, left)

    def _take_waiting(self, run: Run, waiting: Q, number: int) -> int:
        taken = 0
        for lane in routes.lanes(self._account.pk, run, self._peers, waiting):
            taken += self._take_lane(lane, number - taken)
        return taken

    def _take_lane(self, lane: QuerySet[Delivery], number: int) -> int:
        taken = 0
        while taken < number:
            found = self._read(lane, number - taken)
            usable = [pk for pk, envelope in found if self._use_room(envelope.rpartition("@")[2])]
            self._ids += usable
            if len(found) < number - taken:
                return taken + len(usable)
            # Otherwise some domain has become full: others in its place.
            taken += len(usable)
        return taken

    def _read(self, lane: QuerySet[Delivery], number: int) -> list[tuple[int, str]]:
        """Return the numbers and envelopes of the next mails of a lane, and lock them."""
        here = lane.exclude(pk__in=self._ids)
        for domain, room in self._rooms.items():
            if room <= 0:
                here = here.exclude(envelope__endswith=f"@{domain}")
        if connection.features.has_select_for_update_skip_locked:
            here = here.select_for_update(skip_locked=True)
        return list(here.values_list("pk", "envelope")[:number])

    def _use_room(self, domain: str) -> bool:
        """Count a mail to this domain. Returns whether its limit allows it."""
        room = self._rooms.get(domain)
        if room is None:
            return True
        self._rooms[domain] = max(0, room - 1)
        return room > 0
