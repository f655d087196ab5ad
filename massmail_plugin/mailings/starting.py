"""The start of a mailing whose time has come: frozen in steps, then let go; or broken off, with nothing frozen."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from massmail_plugin import conf
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.segments.people import UnusableSegment
from massmail_plugin.audience.working_out import SourceGone
from massmail_plugin.content.problems import ContentError
from massmail_plugin.mailings import freeze, preflight
from massmail_plugin.mailings.models import Mailing, Run
from massmail_plugin.mailings.states import MailingState, move
from massmail_plugin.mailings.verbs import Refused, log_verb

logger = logging.getLogger("massmail_plugin.mailings")

#: What a person has to mend.
_CANNOT_START = (Refused, ContentError, SourceGone, UnusableSegment)


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
    still = Mailing.objects.filter(pk=mailing.pk, start_at__lt=late)
    _break_off(still, mailing, sentence % {"start": start})


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
        interrupt_start(mailing, sentence.format(error=type(error).__name__))
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
    run: Run | None = None
    try:
        run = _begin(due)
        return run if run and _freeze(run, stop) and _let_go(run, due) else None
    except (Audience.DoesNotExist, Run.DoesNotExist):
        # Somebody has withdrawn or cancelled it, or has finished the start, in the meantime.
        return None
    except Exception as error:
        if run and not Run.objects.filter(pk=run.pk).exists():
            # Withdrawn, too. If it has been sent again, that is another start, which has nothing to do with this one.
            return None
        if not isinstance(error, _CANNOT_START):
            raise
        logger.warning("Mailing %s could not start: %s", mailing.pk, error)
        interrupt_start(mailing, str(error))
    return None


def _freeze(run: Run, stop: Callable[[], bool]) -> bool:
    """Choose the people and write the ledger. Returns whether it is whole. Raises one of ``_CANNOT_START``."""
    audience = freeze.choose(run, stop)
    if audience is None:
        return False
    problems = preflight.check(run.mailing, starting=audience).problems
    if problems:
        raise Refused(*problems)
    return freeze.copy(run, audience, stop)


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
        # Not one that somebody has discarded: the mailing may be pending again, with another run.
        Run.objects.only("pk").get(pk=run.pk)
        freeze.finish(run)
        log_verb(run.mailing, "massmail.start", None, run=run.pk)
    return True


def interrupt_start(mailing: Mailing, notice: str) -> bool:
    """Let a pending mailing wait for a person, with nothing frozen. Returns whether it was pending."""
    return _break_off(Mailing.objects.filter(pk=mailing.pk), mailing, notice)


@transaction.atomic
def _break_off(still: QuerySet[Mailing], mailing: Mailing, notice: str) -> bool:
    """In one transaction: half a ledger must never belong to a mailing that somebody can resume."""
    moved = move(still.filter(state=MailingState.PENDING), MailingState.INTERRUPTED, notice=notice)
    if moved:
        freeze.discard(mailing)
    return bool(moved)
