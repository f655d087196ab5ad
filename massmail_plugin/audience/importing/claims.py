"""One worker's right to one import, which ends by itself when it dies.

It claims the import for some minutes and renews the claim in the transaction of each batch; so one that was taken for
dead and wakes up late changes nothing.

A row may make each worker die that reads it. So each one that takes an import up counts itself, whatever it does
well begins the count anew, and the one after the third in vain ends the import.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from massmail_plugin.audience.importing.models import RUNNING, ListImport

#: A worker that has been silent for so long is dead. Opening a large workbook may take a minute or two, in silence.
LEASE = timedelta(minutes=5)
#: Workers that may die or break off at the same place.
MOST_TRIES = 3

Clock = Callable[[], datetime]
State = ListImport.State


class ClaimLost(Exception):
    """Somebody stopped or deleted the import, or another worker has it."""


def waiting(now: datetime) -> list[int]:
    """Return the imports that have work to do and nobody at it."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return list(
        ListImport.objects.filter(free, state__in=RUNNING).order_by("pk").values_list("pk", flat=True)
    )


class Claim:
    """One worker's right to one import."""

    def __init__(self, import_id: int, clock: Clock) -> None:
        self.import_id = import_id
        self._clock = clock
        self._token = uuid.uuid4().hex

    def take(self) -> bool:
        now = self._clock()
        free = Q(claimed_until=None) | Q(claimed_until__lt=now)
        mine = ListImport.objects.filter(free, pk=self.import_id, state__in=RUNNING)
        return bool(mine.update(claim=self._token, claimed_until=now + LEASE, tries=F("tries") + 1))

    def renew(self, expected: State, **fields: Any) -> None:
        """Go on in the state ``expected``, with these new values, and lock the row. Raises ``ClaimLost``."""
        until = self._clock() + LEASE
        mine = ListImport.objects.filter(pk=self.import_id, claim=self._token, state=expected)
        if not mine.update(**{"claimed_until": until, **fields}):
            raise ClaimLost

    def came_on(self, expected: State, **fields: Any) -> None:
        """Do the same after a step: this worker's try is the first one of what comes next."""
        self.renew(expected, tries=1, problem="", **fields)

    def release(self) -> None:
        self._mine().update(claim="", claimed_until=None, tries=0)

    def broke_off(self, error: Exception) -> None:
        """Let another worker try, at the next tick; people see why."""
        why = _("A worker broke off at an unexpected fault (%(fault)s).") % {"fault": type(error).__name__}
        self._mine().update(claim="", claimed_until=None, problem=why)

    def _mine(self) -> QuerySet[ListImport]:
        return ListImport.objects.filter(pk=self.import_id, claim=self._token)

    def fresh(self) -> ListImport:
        found = self._mine().first()
        if found is None:
            raise ClaimLost
        return found

    def end(self, now_in: State, state: State, **fields: Any) -> None:
        self.renew(now_in, state=state, finished_at=self._clock(), claim="", claimed_until=None, **fields)
