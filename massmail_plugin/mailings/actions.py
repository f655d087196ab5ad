"""What people press: each verb does its one thing, once, or raises :class:`Refused` with what to do about it."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import accounts_for, has_own_accounts
from massmail_plugin.mailings import freeze, people, preflight
from massmail_plugin.mailings.ending import reopen
from massmail_plugin.mailings.models import Mailing, Run
from massmail_plugin.mailings.states import (
    MAILING_MOVES,
    RUNNING,
    WAITING,
    DeliveryState,
    MailingState,
    move,
)
from massmail_plugin.mailings.verbs import RETRIABLE, Refused, deliveries_of, log_verb, move_from


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
        if not move_from(mailing, [MailingState.DRAFT], MailingState.PENDING, start_at=start_at, notice=""):
            raise Refused(_("This mailing has already been sent or scheduled."))
        people.forget_people(mailing)
        log_verb(mailing, "massmail.release", user, recipients=result.audience.included)
    return result


@transaction.atomic
def withdraw(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Take a pending mailing back to Draft before it starts. Raises :class:`Refused`."""
    if not move_from(mailing, [MailingState.PENDING], MailingState.DRAFT):
        raise Refused(_("This mailing is no longer waiting for its start."))
    freeze.discard(mailing)
    log_verb(mailing, "massmail.withdraw", user)


@transaction.atomic
def pause(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Stop before the next mail. Raises :class:`Refused`."""
    if not move_from(mailing, RUNNING, MailingState.PAUSED):
        raise Refused(_("This mailing is not being sent now."))
    log_verb(mailing, "massmail.pause", user)


@transaction.atomic
def hold_back(mailing: Mailing, notice: str) -> bool:
    """Stop a running mailing none of whose mails can leave as it is. Returns whether it was running."""
    held = move_from(mailing, RUNNING, MailingState.PAUSED, notice=notice)
    if held:
        log_verb(mailing, "massmail.hold_back", None, notice=notice)
    return held


def resume(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> None:
    """Go on with a paused or interrupted mailing. Raises :class:`Refused`.

    One that was interrupted before its first mail passes the checks again, and is a draft if it does not.
    """
    if not _back_to_draft(mailing):
        _go_on(mailing, user)
        return
    mailing.refresh_from_db()
    try:
        release(mailing, user=user)
    except Refused as refused:
        raise Refused(*refused.problems, _("The mailing is a draft again, and waits for Send.")) from refused


@transaction.atomic
def _back_to_draft(mailing: Mailing) -> bool:
    """In a transaction of its own: what ``release`` counts stays counted, also if it does not come to an end."""
    never_whole = Mailing.objects.filter(~_has_started(), pk=mailing.pk, state=MailingState.INTERRUPTED)
    moved = move(never_whole, MailingState.DRAFT, start_at=None, notice="")
    if moved:
        freeze.discard(mailing)
    return bool(moved)


@transaction.atomic
def _go_on(mailing: Mailing, user: AbstractBaseUser | None) -> None:
    held = Mailing.objects.filter(
        _has_started(), pk=mailing.pk, state__in=[MailingState.PAUSED, MailingState.INTERRUPTED]
    )
    if not move(held, MailingState.ACTIVE, notice=""):
        raise Refused(_("This mailing is not paused."))
    if not accounts_for(mailing.owner_id).exists():
        raise Refused(preflight.no_account())
    # Pressing Resume is the decision to go on through the accounts that are there now.
    Run.objects.filter(mailing=mailing).update(own_accounts=has_own_accounts(mailing.owner_id))
    log_verb(mailing, "massmail.resume", user)


def _has_started() -> Exists:
    """Whether a mailing has a run whose ledger is whole."""
    return Exists(Run.objects.filter(mailing=OuterRef("pk"), frozen_at__isnull=False))


@transaction.atomic
def cancel(mailing: Mailing, *, user: AbstractBaseUser | None = None) -> int:
    """End a mailing for good; returns how many mails will not be sent. Raises :class:`Refused`."""
    unended = [state for state, targets in MAILING_MOVES.items() if MailingState.CANCELLED in targets]
    if not move_from(mailing, unended, MailingState.CANCELLED):
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
