"""Who gets a mailing: its audience, worked out before it is sent, and again when it starts."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable

from django.db import IntegrityError, OperationalError
from django.utils import timezone

from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.segments.people import UnusableSegment
from massmail_plugin.audience.working_out import SourceGone, forget, work_out
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.terms import Terms, already_got, terms_of
from massmail_plugin.recipients.ownership import theirs

logger = logging.getLogger("massmail_plugin.mailings")

#: Seconds that somebody waits for the figures in front of the screen, and after pressing Send; what takes longer goes
#: on behind it.
PATIENCE_SECONDS, PATIENCE_AT_SEND = 4.0, 25.0
#: How long figures that took longer than that count as the present ones; and how long all others do for who looks.
_KEPT, _GLANCE = dt.timedelta(minutes=30), dt.timedelta(minutes=1)


def subject(mailing: Mailing) -> str:
    """Return the subject of its audience while it is a draft."""
    return f"mailing:{mailing.pk}"


def work_out_people(mailing: Mailing, audience: Audience, stop: Callable[[], bool] = lambda: False) -> bool:
    """Work ``audience`` out by the rules for this mailing. Returns and raises what ``work_out`` does."""
    owner = mailing.owner
    return work_out(audience, mailable=lambda one: theirs(one, owner), more=already_got(audience), stop=stop)


def count_people(mailing: Mailing, *, at_send: bool = False, at_a_glance: bool = False) -> Audience:
    """Return the audience of a draft as it is now; of long lists as it was minutes ago, or still incomplete.

    ``at_send``: somebody has pressed Send, and waits longer. ``at_a_glance``: somebody only looks; what was counted
    a moment ago will do. What decides who gets it is the same in any case.

    One that is incomplete is gone on with by each tick, and by whoever asks again; but for one with a ``fault``, until
    it is forgotten. Raises what ``work_out`` raises for the sources, and ``OperationalError``.
    """
    terms = terms_of(mailing)
    audience = Audience.objects.filter(subject=subject(mailing)).first()
    if audience is None or not _still_counts(audience, terms, at_a_glance):
        audience = _open(mailing, terms)
    end = time.monotonic() + (PATIENCE_AT_SEND if at_send else PATIENCE_SECONDS)
    _work_on(mailing, audience, stop=lambda: time.monotonic() > end)
    return audience


def go_on_counting(stop: Callable[[], bool]) -> bool:
    """Go on with the audiences of drafts that somebody waits for. Returns whether there is more to do at once.

    Whatever goes wrong with one keeps no other from being counted, nor the tick from its other work.
    """
    for audience in Audience.objects.filter(subject__startswith="mailing:", completed_at=None, fault=""):
        mailing = Mailing.objects.filter(pk=audience.subject.partition(":")[2]).first()
        if mailing is None:
            forget(audience.subject)
        elif not _go_on(mailing, audience, stop):
            return True
    return False


def forget_people(mailing: Mailing) -> None:
    """Delete the audience of a draft that is none any more."""
    forget(subject(mailing))


def _go_on(mailing: Mailing, audience: Audience, stop: Callable[[], bool]) -> bool:
    """Return whether there is nothing more to do with it in this tick."""
    try:
        return _work_on(mailing, audience, stop)
    except (SourceGone, UnusableSegment, Audience.DoesNotExist):
        # Whoever asks next is told.
        forget_people(mailing)
    except OperationalError:
        # The database is busy or away, or has had enough of this one: the next tick tries again.
        logger.exception("The people of mailing %s could not be counted further yet", mailing.pk)
    return True


def _work_on(mailing: Mailing, audience: Audience, stop: Callable[[], bool]) -> bool:
    """Work it out, and keep what is broken: a host's own code reads some names, and may fail for one record.

    Returns whether there is nothing more to do.
    """
    if audience.fault:
        return True
    try:
        return work_out_people(mailing, audience, stop)
    except (SourceGone, UnusableSegment, Audience.DoesNotExist, OperationalError):
        raise
    except Exception as error:
        logger.exception("The people of mailing %s cannot be counted", mailing.pk)
        audience.fault = type(error).__name__[:100]
        Audience.objects.filter(pk=audience.pk).update(fault=audience.fault)
        return True


def _open(mailing: Mailing, terms: Terms) -> Audience:
    try:
        return terms.open(subject(mailing))
    except IntegrityError:
        # Somebody else has opened it in the same moment: both go on with it.
        return Audience.objects.get(subject=subject(mailing))


def _still_counts(audience: Audience, terms: Terms, at_a_glance: bool) -> bool:
    """Whether it is of the same terms; and, if it is complete, took long to work out or was so a moment ago."""
    if not terms.are_those_of(audience):
        return False
    audience.has_changed = audience.traces != terms.traces
    if audience.completed_at is None:
        return True
    age = timezone.now() - audience.completed_at
    if (audience.completed_at - audience.created_at).total_seconds() > PATIENCE_SECONDS:
        return age < _KEPT
    return at_a_glance and age < _GLANCE and not audience.has_changed
