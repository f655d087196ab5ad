"""Two transactions that wait for each other: the database takes one back whole, so that it can be done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection

_Result = TypeVar("_Result")

_TRIES = 5
#: MariaDB's and MySQL's number; SQL's own states for "deadlock" and "could not be serialised".
_NUMBER, _STATES = 1213, ("40P01", "40001")


def again_after_deadlock(do: Callable[[], _Result]) -> _Result:
    """Do what is one transaction of its own; once more, and some times, if a deadlock has undone it."""
    for _try in range(1, _TRIES):
        try:
            return do()
        except OperationalError as error:
            # Within somebody else's transaction more was undone than we could do again.
            if not is_deadlock(error) or connection.in_atomic_block:
                raise
    return do()


def is_deadlock(error: OperationalError) -> bool:
    """Return whether the database has undone the whole transaction because of another one."""
    return error.args[:1] == (_NUMBER,) or getattr(error.__cause__, "sqlstate", "") in _STATES
