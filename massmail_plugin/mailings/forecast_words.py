"""A forecast in words: for the page before Send, and for the pages of mailings and accounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from massmail_plugin.accounts.pacing.duration import Estimate
from massmail_plugin.mailings import forecast
from massmail_plugin.mailings.forecast import Forecast
from massmail_plugin.mailings.models import Mailing, Run
from massmail_plugin.mailings.states import RUNNING

#: Workers look once a minute: what is shorter is no wait.
_NO_WAIT = timedelta(minutes=2)
#: What takes longer is worth a word before it starts.
_LONG = timedelta(hours=12)


def before_start(found: Forecast, mailing: Mailing, now: datetime) -> Iterator[str]:
    """Yield what whoever presses Send should know, if there is anything."""
    start = max(now, mailing.start_at) if mailing.start_at else now
    if wait := waiting_sentence(found, start):
        yield wait
    if found.end and found.end.done_at - (found.next_at or start) > _LONG:
        yield ending_sentence(found.end, now)


def wait_of(mailing: Mailing, waiting: int, now: datetime) -> str:
    """Return until when none of the ``waiting`` mails of a running mailing leaves, and why; empty if some do."""
    run = _running(mailing)
    if run is None or not waiting:
        return ""
    return waiting_sentence(forecast.of_run(run, waiting, now, with_end=False), now)


def end_of(mailing: Mailing, waiting: int, now: datetime) -> str:
    """Return about when the last of the ``waiting`` mails of a running mailing will have left, if limits decide it."""
    run = _running(mailing)
    end = forecast.of_run(run, waiting, now).end if run and waiting else None
    return ending_sentence(end, now) if end else ""


def _running(mailing: Mailing) -> Run | None:
    runs = mailing.runs.select_related("mailing").defer("content")
    return runs.first() if mailing.state in RUNNING else None


def waiting_sentence(found: Forecast, now: datetime) -> str:
    """Return until when nothing leaves, and why; empty if there is no wait."""
    if found.why is None or (found.next_at and found.next_at - now < _NO_WAIT):
        return ""
    if found.next_at is None:
        return found.why.sentence
    words = {"when": moment(found.next_at), "why": found.why.reason}
    return _("Nothing leaves before %(when)s: %(why)s.") % words


def ending_sentence(end: Estimate, now: datetime) -> str:
    """Return about when the last mail will have left, with the limits as they are."""
    if end.days <= 1 and end.done_at - now < _LONG:
        return _("With the limits set, it takes about %(time)s.") % {
            "time": timeuntil(end.done_at, now, depth=1)
        }
    return ngettext(
        "With the limits set, it takes about %(days)d day of sending, until about %(date)s.",
        "With the limits set, it takes about %(days)d days of sending, until about %(date)s.",
        end.days,
    ) % {"days": end.days, "date": date_format(timezone.localtime(end.done_at), "DATE_FORMAT")}


def moment(when: datetime) -> str:
    """Return a moment with its day of the week, which is what working hours are about."""
    local = timezone.localtime(when)
    return f"{date_format(local, 'l')}, {date_format(local, 'DATETIME_FORMAT')}"
