"""How a mailing stands at this moment: what its page shows, and fetches again and again while it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from massmail_plugin.admin import names
from massmail_plugin.admin.columns import state_class
from massmail_plugin.admin.delivery_rows import attach_cells
from massmail_plugin.admin.doubts import attach_known, deciding_context, with_what_is_known
from massmail_plugin.admin.figures import shown_figures
from massmail_plugin.admin.mailing_verbs import buttons_for
from massmail_plugin.admin.standstill import standstill
from massmail_plugin.admin.unreachable import unreachable_sentence
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.delivery.ledger import clock, routes
from massmail_plugin.feedback.figures import RunFigures, figures_for_run
from massmail_plugin.mailings import freeze
from massmail_plugin.mailings.deciding import in_doubt
from massmail_plugin.mailings.forecast_words import end_of, wait_of
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.progress import Progress, progress_of
from massmail_plugin.mailings.states import OPEN, RUNNING, DeliveryState, MailingState

#: Seconds until the page asks again, while mails are leaving and while it only waits.
_WHILE_RUNNING, _WHILE_WAITING = 2, 10
#: A pending mailing starts at the next tick, which comes each minute; this much later something is wrong.
_LATE = timedelta(minutes=3)
_TROUBLES, _LOG_ROWS = 20, 20


def now(mailing: Mailing, policy: Any, user: Any) -> dict[str, Any]:
    """Return what the fragment shows at every look."""
    progress = progress_of([mailing.pk])[mailing.pk]
    failed, doubts = progress.states[DeliveryState.FAILED], progress.states[DeliveryState.IN_DOUBT]
    choosing = freeze.how_far(mailing)
    failures = Delivery.objects.filter(run__mailing=mailing, state=DeliveryState.FAILED).order_by("pk")
    return {
        "mailing": mailing,
        "state_class": state_class(mailing.state),
        "choosing": choosing,
        "sentence": choosing
        or sentence(
            mailing, doubts, "" if progress.on_their_way else wait_of(mailing, progress.waiting, clock.now())
        ),
        "alarms": standstill(mailing, user),
        "is_late": not choosing and is_late(mailing),
        "progress": progress,
        "announced_percent": progress.percent // 10 * 10,
        "counts": counts(mailing, progress),
        "failures": list(failures[:_TROUBLES]) if failed else [],
        "failed": failed,
        "failures_url": names.delivery_log(
            mailing.campaign_id, mailing=mailing.pk, state=DeliveryState.FAILED
        ),
        **in_doubt_box(mailing, user, doubts),
        "buttons": buttons_for(mailing, policy, user, failed=failed),
        "next_seconds": next_seconds(mailing, progress),
    }


def in_doubt_box(mailing: Mailing, user: Any, number: int) -> dict[str, Any]:
    """Return the first mails in doubt with what is known, and what ``user`` may decide."""
    if not number:
        return {"doubts": [], "doubts_total": 0}
    first = with_what_is_known(in_doubt(mailing))[:_TROUBLES]
    return {
        "doubts": attach_known(first, user),
        "doubts_total": number,
        **deciding_context(mailing, user),
    }


def so_far(mailing: Mailing, user: Any) -> dict[str, Any]:
    """Return what is counted over all events and shown less often."""
    run = mailing.runs.first()
    deliveries = list(
        Delivery.objects.filter(run__mailing=mailing)
        .select_related("run__mailing")
        .order_by("pk")[:_LOG_ROWS]
    )
    attach_cells(deliveries, user)
    figures = figures_for_run(run) if run else RunFigures()
    progress = progress_of([mailing.pk])[mailing.pk]
    return {
        "run": run,
        "forecast": end_of(mailing, progress.waiting, clock.now()),
        "figures": figures,
        "shown_figures": shown_figures(figures, mailing.runs.all()),
        "left_out": left_out(mailing, figures),
        "deliveries": deliveries,
        "log_url": names.delivery_log(mailing.campaign_id, mailing=mailing.pk),
    }


def counts(mailing: Mailing, progress: Progress) -> list[tuple[Any, int, str]]:
    """Return for each state that occurs its label, number of mails, and the log of them."""
    return [
        (
            state.label,
            progress.states[state],
            names.delivery_log(mailing.campaign_id, mailing=mailing.pk, state=state),
        )
        for state in DeliveryState
        if progress.states[state]
    ]


def left_out(mailing: Mailing, figures: RunFigures) -> list[tuple[Any, int, str]]:
    """Return for each reason its label, number of people, and the log of them."""
    return [
        (
            Reason(reason).label if reason in Reason.values else reason,
            number,
            names.delivery_log(mailing.campaign_id, mailing=mailing.pk, reason=reason),
        )
        for reason, number in figures.left_out_by_reason.items()
    ]


def next_seconds(mailing: Mailing, progress: Progress) -> int:
    """Return when the page should ask again; 0: never, it is over."""
    is_due = mailing.state == MailingState.PENDING and mailing.start_at and mailing.start_at <= timezone.now()
    if mailing.state in RUNNING or is_due:
        return _WHILE_RUNNING
    if mailing.state in (MailingState.DONE, MailingState.CANCELLED):
        # What was being handed over when somebody pressed Cancel still finds its end, and proof may settle doubts.
        return _WHILE_WAITING if progress.waiting or progress.states[DeliveryState.IN_DOUBT] else 0
    return 0 if mailing.state == MailingState.DRAFT else _WHILE_WAITING


def is_late(mailing: Mailing) -> bool:
    """Return whether a pending mailing should have started long ago: nobody does the work."""
    is_pending = mailing.state == MailingState.PENDING and mailing.start_at is not None
    return is_pending and mailing.start_at < timezone.now() - _LATE  # type: ignore[operator]


def has_takers(mailing: Mailing) -> bool:
    """Return whether a ready account takes what is left of it, if anything is."""
    run = mailing.runs.select_related("mailing").defer("content").first()
    return run is None or routes.has_takers(run) or not run.deliveries.filter(state__in=OPEN).exists()


def sentence(mailing: Mailing, in_doubt: int = 0, wait: str = "") -> str:
    """Return what the status means, and what to do.

    ``in_doubt``: how many of its mails are; ``wait``: until when none of them leaves, and why.
    """
    if mailing.state == MailingState.PENDING and mailing.start_at and mailing.start_at > timezone.now():
        start = date_format(timezone.localtime(mailing.start_at), "DATETIME_FORMAT")
        return _("Starts by itself: %(start)s") % {"start": start}
    if mailing.state in RUNNING and not has_takers(mailing):
        return _("No sender account is ready for its mails: within a minute it stops and says what to do.")
    if mailing.state in RUNNING and (outage := unreachable_sentence(mailing)):
        return outage
    if mailing.state == MailingState.DONE and in_doubt:
        return ngettext(
            "All the others have found their end, but %(number)d mail is in doubt: decide below.",
            "All the others have found their end, but %(number)d mails are in doubt: decide below.",
            in_doubt,
        ) % {"number": in_doubt}
    return {
        MailingState.DRAFT: _("Nothing has been sent yet. Send… shows who will get it, and asks once."),
        MailingState.PENDING: _("Starts within a minute."),
        MailingState.ACTIVE: wait or _("Mails are leaving."),
        MailingState.ACTIVE_ERROR: f"{wait} {_('Some mails have failed or are in doubt: see below.')}"
        if wait
        else _("Mails are leaving, but some have failed or are in doubt: see below."),
        MailingState.PAUSED: _("Stopped: see below why.")
        if mailing.notice
        else _("Stopped by a person. Resume lets it go on."),
        MailingState.INTERRUPTED: _(
            "It cannot go on by itself: see below why. Do what it says, then press Resume."
        ),
        MailingState.DONE: _("Every mail has found its end."),
        MailingState.CANCELLED: _("Ended by a person. What had not left was not sent."),
    }[MailingState(mailing.state)]
