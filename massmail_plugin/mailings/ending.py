"""Mailings whose every mail has an end are done; and go on if one waits again."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import OPEN, RUNNING, WAITING, MailingState
from massmail_plugin.mailings.verbs import move_from


def finish_runs() -> int:
    """Call mailings Done whose every delivery has an end. Returns how many."""
    finished = 0
    running = Run.objects.filter(finished_at=None, frozen_at__isnull=False, mailing__state__in=RUNNING)
    for run in running.select_related("mailing"):
        if Delivery.ledger.filter(run=run, state__in=OPEN).exists():
            continue
        with transaction.atomic():
            if move_from(run.mailing, RUNNING, MailingState.DONE):
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
            if move_from(run.mailing, [MailingState.DONE], MailingState.ACTIVE):
                reopened += Run.objects.filter(pk=run.pk).update(finished_at=None)
    return reopened


def reopen(mailing: Mailing) -> None:
    """Mails wait again: a mailing that was done, or went on with trouble, is active."""
    Run.objects.filter(mailing=mailing).update(finished_at=None)
    move_from(mailing, [MailingState.DONE, MailingState.ACTIVE_ERROR], MailingState.ACTIVE, notice="")
