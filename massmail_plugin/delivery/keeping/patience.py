"""Waits for a database that is away: what must not be lost is tried again and again for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger("massmail_plugin.delivery")

_Result = TypeVar("_Result")

#: Seconds between two tries, from - to.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0


class Patience:
    """So many seconds in all, however many things are waited for one after the other."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def wait_through(self, do: Callable[[], _Result]) -> _Result:
        """Do this as soon as the database can be reached. Raises what it says last."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return do()
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() >= self._until:
                    raise
                logger.warning("A turn's outcomes wait for the database: %s", error)
                connection.close()
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
