"""Imports into target lists, as work for whatever process there is. What an import is, the audience knows."""

from __future__ import annotations

import math
from collections.abc import Callable

from massmail_plugin import conf
from massmail_plugin.audience.importing import claims, working
from massmail_plugin.audience.importing.actions import forget_old
from massmail_plugin.delivery.ledger import clock


def waiting() -> list[int]:
    """Return the imports that wait for a worker; also those whose worker has died."""
    return claims.waiting(clock.now())


def tidy_up() -> None:
    """Forget files and failed rows that nobody needs any more."""
    forget_old(clock.now())


def work_for_a_while(import_id: int, stop: Callable[[], bool]) -> bool:
    """Work on one import for about SLICE_SECONDS. Returns whether there is more to do."""
    return working.work_on(import_id, clock.now, seconds=conf.get("SLICE_SECONDS"), stop=stop)


def work_through(stop: Callable[[], bool]) -> None:
    """Work on all that wait until they end, or until ``stop``."""
    for import_id in waiting():
        working.work_on(import_id, clock.now, seconds=math.inf, stop=stop)
