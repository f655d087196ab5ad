"""The verbs of a mailing. Each is one move of its state; of two people who press at once one succeeds."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from wagtail.log_actions import log

from massmail_plugin.accounts.models import accounts_for, has_own_accounts
from massmail_plugin.content.problems import ContentError
from massmail_plugin.mailings import preflight
from massmail_plugin.mailings.freeze import freeze
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import (
    MAILING_MOVES,
    OPEN,
    RUNNING,
    WAITING,
    DeliveryState,
    MailingState,
    move,
)

logger = logging.getLogger("massmail_plugin.mailings")

#: Where the failed mails of a mailing may be queued again.
RETRIABLE = (*RUNNING, MailingState.PAUSED, MailingState.INTERRUPTED, MailingState.DONE)


class Refused(Exception):
    """The verb cannot be done now; ``problems`` are sentences for people that say what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


def release(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> preflight.Preflight:
    """Press Send: the mailing waits for its start time, or for the next tick. Raises :class:`Refused`."""
    result = preflight.check(mailing)
    if result.problems:
        raise Refused(*result.problems)
    start_at = mailing.start_at or timezone.now()
    with transaction.atomic():
        if not _move_from(mailing, [MailingState.DRAFT], MailingState.PENDING, start_at=start_at, notice=""):
            raise Refused(_("This mailing has already been sent or scheduled."))
        _log(mailing, "massmail.release", user, recipients=result.audience.included)
    return result


def start_due() -> list[Run]:
    """Start every pending mailing whose time has come. Returns the new runs."""
    due = Mailing.objects.filter(state=MailingState.PENDING, start_at__lte=timezone.now())
    return [run for mailing in due.order_by("start_at", "pk") if (run := _start_alone(mailing))]


def _start_alone(mailing: Mailing) -> Run | None:
    """Start one mailing so that whatever goes wrong with it keeps no other from starting."""
    try:
        return start(mailing)
    except OperationalError:
        # The database is busy or away: it stays pending, and the next tick tries again.
        logger.exception("Mailing %s could not start yet", mailing.pk)
    except Exception as error:
        logger.exception("Mailing %s could not start", mailing.pk)
        sentence = _(
            "It could not be started, and nothing was sent: {error}. Ask your administrator to look at the log."
        )
        _interrupt(mailing, sentence.format(error=type(error).__name__))
    return None


def start(mailing: Mailing) -> Run | None:
    """Freeze a pending mailing and let its mails go. Returns None if somebody else was first or it cannot start.

    A mailing that cannot start becomes Interrupted with the reason, and loses nothing.
    """
    try:
        with transaction.atomic():
            # The move comes first and is rolled back with the rest: it is the lock against a second start.
            if not _move_from(mailing, [MailingState.PENDING], MailingState.ACTIVE, notice=""):
                return None
            problems = preflight.check(mailing, starting=True).problems
            if problems:
                raise Refused(*problems)
            run = freeze(mailing)
            _log(mailing, "massmail.start", None, run=run.pk)
    except (Refused, ContentError) as error:
        logger.warning("Mailing %s could not start: %s", mailing.pk, error)
        _interrupt(mailing, str(error))
        return None
    return run


def _interrupt(mailing: Mailing, notice: str) -> None:
    """A pending mailing cannot start: a person has to see why and press Resume."""
    _move_from(mailing, [MailingState.PENDING], MailingState.INTERRUPTED, notice=notice)


@transaction.atomic
def withdraw(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Take a pending mailing back to Draft before it starts. Raises :class:`Refused`."""
    if not _move_from(mailing, [MailingState.PENDING], MailingState.DRAFT):
        raise Refused(_("This mailing is no longer waiting for its start."))
    _log(mailing, "massmail.withdraw", user)


@transaction.atomic
def pause(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Stop before the next mail. Raises :class:`Refused`."""
    if not _move_from(mailing, RUNNING, MailingState.PAUSED):
        raise Refused(_("This mailing is not being sent now."))
    _log(mailing, "massmail.pause", user)


@transaction.atomic
def resume(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Go on with a paused or interrupted mailing. Raises :class:`Refused`."""
    if not mailing.runs.exists() and _move_from(
        mailing, [MailingState.INTERRUPTED], MailingState.DRAFT, start_at=None
    ):
        # Interrupted before its first mail: it has to pass the checks again.
        mailing.refresh_from_db()
        release(mailing, user=user)
        return
    if not _move_from(
        mailing, [MailingState.PAUSED, MailingState.INTERRUPTED], MailingState.ACTIVE, notice=""
    ):
        raise Refused(_("This mailing is not paused."))
    if not accounts_for(mailing.owner_id).exists():
        raise Refused(preflight.no_account())
    # Pressing Resume is the decision to go on through the accounts that are there now.
    Run.objects.filter(mailing=mailing).update(own_accounts=has_own_accounts(mailing.owner_id))
    _log(mailing, "massmail.resume", user)


@transaction.atomic
def cancel(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> int:
    """End a mailing for good; returns how many mails will not be sent. Raises :class:`Refused`."""
    unended = [state for state, targets in MAILING_MOVES.items() if MailingState.CANCELLED in targets]
    if not _move_from(mailing, unended, MailingState.CANCELLED):
        raise Refused(_("This mailing has already ended."))
    stopped = move(_deliveries_of(mailing).filter(state__in=WAITING), DeliveryState.CANCELLED)
    Run.objects.filter(mailing=mailing, finished_at=None).update(finished_at=timezone.now())
    _log(mailing, "massmail.cancel", user, stopped=stopped)
    return stopped


@transaction.atomic
def retry_failed(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> int:
    """Queue the failed mails of a mailing again, and only those; returns how many. Raises :class:`Refused`."""
    if not Mailing.objects.filter(pk=mailing.pk, state__in=RETRIABLE).exists():
        raise Refused(_("This mailing was cancelled, or has not been started."))
    failed = _deliveries_of(mailing).filter(state=DeliveryState.FAILED)
    queued = move(failed, DeliveryState.QUEUED, attempts=0, detail="", next_attempt_at=None)
    if not queued:
        raise Refused(_("No mail of this mailing has failed."))
    Run.objects.filter(mailing=mailing).update(finished_at=None)
    _move_from(mailing, [MailingState.DONE, MailingState.ACTIVE_ERROR], MailingState.ACTIVE, notice="")
    _log(mailing, "massmail.retry", user, queued=queued)
    return queued


def finish_runs() -> int:
    """Call mailings Done whose every delivery has an end. Returns how many."""
    finished = 0
    for run in Run.objects.filter(finished_at=None, mailing__state__in=RUNNING).select_related("mailing"):
        if Delivery.objects.filter(run=run, state__in=OPEN).exists():
            continue
        with transaction.atomic():
            if _move_from(run.mailing, RUNNING, MailingState.DONE):
                finished += Run.objects.filter(pk=run.pk, finished_at=None).update(finished_at=timezone.now())
    return finished


def reopen_runs() -> int:
    """Let mailings go on that were called Done while a mail still waits. Returns how many.

    A worker that was given up may come back and know that its mail in doubt was not sent; and somebody may
    press Retry in the moment in which a mailing ends. Nobody would look at their mails any more.
    """
    waiting = Delivery.objects.filter(run=OuterRef("pk"), state__in=WAITING)
    runs = Run.objects.filter(Exists(waiting), mailing__state=MailingState.DONE).select_related("mailing")
    reopened = 0
    for run in runs:
        with transaction.atomic():
            if _move_from(run.mailing, [MailingState.DONE], MailingState.ACTIVE):
                reopened += Run.objects.filter(pk=run.pk).update(finished_at=None)
    return reopened


def _deliveries_of(mailing: Mailing) -> QuerySet[Delivery]:
    return Delivery.objects.filter(run__in=Run.objects.filter(mailing=mailing))


def _move_from(
    mailing: Mailing, sources: Iterable[MailingState], target: MailingState, **fields: Any
) -> bool:
    """Move ``mailing`` if it stands in one of ``sources`` now, whatever the caller's copy of it says."""
    here = Mailing.objects.filter(pk=mailing.pk, state__in=list(sources))
    return bool(move(here, target, **fields))


def _log(mailing: Mailing, action: str, user: Any, **data: Any) -> None:
    log(instance=mailing, action=action, user=user, data=data or None)
