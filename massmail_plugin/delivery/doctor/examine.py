"""Asks all questions, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from django.db import DatabaseError, InterfaceError

from massmail_plugin.delivery.doctor import foundations, guard, mails, runner
from massmail_plugin.delivery.doctor.findings import Finding, Level, problem

Question = Callable[[], Iterable[Finding]]

#: Without these no other question can be answered.
_FIRST: tuple[Question, ...] = (foundations.database, foundations.migrations)
_ALL: tuple[Question, ...] = (
    foundations.durability,
    foundations.clocks,
    foundations.settings,
    foundations.public_address,
    foundations.production,
    guard.journals,
    guard.epoch,
    runner.ticks,
    runner.processes,
    runner.schedule,
    runner.broker,
    mails.accounts,
    mails.secrets,
    mails.late_starts,
    mails.leases,
    mails.doubts,
    mails.sign_ups,
)


def examine(*, connect: bool = False) -> Iterator[Finding]:
    """Yield what is found, while it is found. ``connect``: also log in through every account."""
    for question in _FIRST:
        for finding in _ask(question):
            yield finding
            if finding.level is Level.PROBLEM:
                return
    for question in (*_ALL, *([mails.connections] if connect else [])):
        yield from _ask(question)


def _ask(question: Question) -> list[Finding]:
    """Return the findings of one question; one that cannot be answered is a finding, too."""
    about = question.__name__.replace("_", " ")
    try:
        return list(question())
    except (DatabaseError, InterfaceError) as error:
        says = f"the database does not answer ({type(error).__name__})"
        return [problem(about, says, "start it, or mend DATABASES")]
    except Exception as error:
        says = f"could not be looked at ({type(error).__name__}: {error})"
        return [problem(about, says, "this may be a fault of massmail_plugin: please report it")]
