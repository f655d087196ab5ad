"""The verbs of a mailing. Each is one move of its state; of two people who press at once one succeeds."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from wagtail.log_actions import log

from massmail_plugin import conf
from massmail_plugin.accounts.models import accounts_for, has_own_accounts
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.segments.people import UnusableSegment
from massmail_plugin.audience.working_out import SourceGone
from massmail_plugin.content.problems import ContentError
from massmail_plugin.mailings import freeze, people, preflight
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
    result = preflight.check(mailing, at_send=True)
    if result.is_counting:
        raise Refused(
            _("The people are still being counted. Look at the figures first, and press Send then.")
        )
    if result.problems:
        raise Refused(*result.problems)
    start_at = mailing.start_at or timezone.now()
    with transaction.atomic():
        if not _move_from(mailing, [MailingState.DRAFT], MailingState.PENDING, start_at=start_at, notice=""):
            raise Refused(_("This mailing has already been sent or scheduled."))
        people.forget_people(mailing)
        log_verb(mailing, "massmail.release", user, recipients=result.audience.included)
    return result


def start_due(now: dt.datetime | None = None, stop: Callable[[], bool] = lambda: False) -> list[Run]:
    """Start every pending mailing whose time has come. Returns the new runs.

    ``now`` is the database's time. One whose time came more than START_GRACE_SECONDS ago, when nothing was running,
    does not go out in the middle of some night: it is interrupted, and a person decides. ``stop``: see ``start``.
    """
    now = now or timezone.now()
    late = now - dt.timedelta(seconds=conf.get("START_GRACE_SECONDS"))
    due = Mailing.objects.filter(state=MailingState.PENDING, start_at__lte=now).order_by("start_at", "pk")
    # To choose a million people takes its time, and that is not being late.
    begun = Exists(Run.objects.filter(mailing=OuterRef("pk"), frozen_at=None, started_at__gte=late))
    for mailing in due.filter(~begun, start_at__lt=late):
        _overslept(mailing, late)
    in_time = due.filter(begun | Q(start_at__gte=late))
    return [run for mailing in in_time if (run := _start_alone(mailing, now, stop))]


def _overslept(mailing: Mailing, late: dt.datetime) -> None:
    """Its time has long passed. Whoever has given it another in the meantime is not overruled."""
    start = date_format(timezone.localtime(mailing.start_at), "DATETIME_FORMAT")
    sentence = _(
        "It should have started on %(start)s; nothing was running then. Press Resume to send it now, or Cancel."
    )
    still = Mailing.objects.filter(pk=mailing.pk, state=MailingState.PENDING, start_at__lt=late)
    if move(still, MailingState.INTERRUPTED, notice=sentence % {"start": start}):
        freeze.discard(mailing)


def _start_alone(mailing: Mailing, now: dt.datetime, stop: Callable[[], bool]) -> Run | None:
    """Start one mailing so that whatever goes wrong with it keeps no other from starting."""
    try:
        return start(mailing, now, stop)
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


def start(
    mailing: Mailing, now: dt.datetime | None = None, stop: Callable[[], bool] = lambda: False
) -> Run | None:
    """Freeze a pending mailing and let its mails go.

    Returns None if somebody else was first, if it cannot start, or if ``stop()`` has said so before the end; whoever
    calls it next goes on. A mailing that cannot start becomes Interrupted with the reason, and loses nothing. ``now``
    is the database's time: a mailing that was given a later start in the meantime waits for that.
    """
    due = Mailing.objects.filter(
        pk=mailing.pk, state=MailingState.PENDING, start_at__lte=now or timezone.now()
    )
    try:
        run = _begin(due)
        audience = freeze.choose(run, stop) if run else None
        if run is None or audience is None:
            return None
        problems = preflight.check(run.mailing, starting=audience).problems
        if problems:
            raise Refused(*problems)
        return run if freeze.copy(run, audience, stop) and _let_go(run, due) else None
    except (Refused, ContentError, SourceGone, UnusableSegment) as error:
        logger.warning("Mailing %s could not start: %s", mailing.pk, error)
        _interrupt(mailing, str(error))
    except (Audience.DoesNotExist, Run.DoesNotExist):
        # Somebody has withdrawn or cancelled it, or has finished the start, in the meantime.
        pass
    return None


def _begin(due: QuerySet[Mailing]) -> Run | None:
    """Return the run that is being frozen, which the first caller makes; None if the mailing is not due any more."""
    with transaction.atomic():
        # The row is the lock against a second run.
        mailing = due.select_for_update().first()
        if mailing is None:
            return None
        return Run.objects.filter(mailing=mailing, frozen_at=None).first() or freeze.begin(mailing)


def _let_go(run: Run, due: QuerySet[Mailing]) -> bool:
    """Of several who have frozen a run together one lets it go."""
    with transaction.atomic():
        if not move(due, MailingState.ACTIVE, notice=""):
            return False
        freeze.finish(run)
        log_verb(run.mailing, "massmail.start", None, run=run.pk)
    return True


def _interrupt(mailing: Mailing, notice: str) -> None:
    if _move_from(mailing, [MailingState.PENDING], MailingState.INTERRUPTED, notice=notice):
        freeze.discard(mailing)


@transaction.atomic
def withdraw(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Take a pending mailing back to Draft before it starts. Raises :class:`Refused`."""
    if not _move_from(mailing, [MailingState.PENDING], MailingState.DRAFT):
        raise Refused(_("This mailing is no longer waiting for its start."))
    freeze.discard(mailing)
    log_verb(mailing, "massmail.withdraw", user)


@transaction.atomic
def pause(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Stop before the next mail. Raises :class:`Refused`."""
    if not _move_from(mailing, RUNNING, MailingState.PAUSED):
        raise Refused(_("This mailing is not being sent now."))
    log_verb(mailing, "massmail.pause", user)


@transaction.atomic
def hold_back(mailing: Mailing, notice: str) -> bool:
    """Stop a running mailing none of whose mails can leave as it is. Returns whether it was running."""
    held = _move_from(mailing, RUNNING, MailingState.PAUSED, notice=notice)
    if held:
        log_verb(mailing, "massmail.hold_back", None, notice=notice)
    return held


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
    log_verb(mailing, "massmail.resume", user)


@transaction.atomic
def cancel(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> int:
    """End a mailing for good; returns how many mails will not be sent. Raises :class:`Refused`."""
    unended = [state for state, targets in MAILING_MOVES.items() if MailingState.CANCELLED in targets]
    if not _move_from(mailing, unended, MailingState.CANCELLED):
        raise Refused(_("This mailing has already ended."))
    freeze.discard(mailing)
    stopped = move(deliveries_of(mailing).filter(state__in=WAITING), DeliveryState.CANCELLED)
    Run.objects.filter(mailing=mailing, finished_at=None).update(finished_at=timezone.now())
    log_verb(mailing, "massmail.cancel", user, stopped=stopped)
    return stopped


@transaction.atomic
def retry_failed(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> int:
    """Queue the failed mails of a mailing again, and only those; returns how many. Raises :class:`Refused`."""
    # The lock keeps somebody from cancelling in between: nobody would look at these mails any more.
    if not Mailing.objects.select_for_update().filter(pk=mailing.pk, state__in=RETRIABLE).exists():
        raise Refused(_("This mailing was cancelled, or has not been started."))
    failed = deliveries_of(mailing).filter(state=DeliveryState.FAILED)
    queued = move(failed, DeliveryState.QUEUED, attempts=0, detail="", next_attempt_at=None)
    if not queued:
        raise Refused(_("No mail of this mailing has failed."))
    reopen(mailing)
    log_verb(mailing, "massmail.retry", user, queued=queued)
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


def reopen(mailing: Mailing) -> None:
    """Mails wait again: a mailing that was done, or went on with trouble, is active."""
    Run.objects.filter(mailing=mailing).update(finished_at=None)
    _move_from(mailing, [MailingState.DONE, MailingState.ACTIVE_ERROR], MailingState.ACTIVE, notice="")


def deliveries_of(mailing: Mailing) -> QuerySet[Delivery]:
    """Return the ledger of all runs of ``mailing``; without a join, so that its rows can be moved."""
    return Delivery.objects.filter(run__in=Run.objects.filter(mailing=mailing))


def _move_from(
    mailing: Mailing, sources: Iterable[MailingState], target: MailingState, **fields: Any
) -> bool:
    """Move ``mailing`` if it stands in one of ``sources`` now, whatever the caller's copy of it says."""
    here = Mailing.objects.filter(pk=mailing.pk, state__in=list(sources))
    return bool(move(here, target, **fields))


def log_verb(mailing: Mailing, action: str, user: Any, **data: Any) -> None:
    """Write one entry of the audit log."""
    log(instance=mailing, action=action, user=user, data=data or None)
