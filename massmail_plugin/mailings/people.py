"""Who gets a mailing: its audience, worked out before it is sent, and again when it starts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from django.db import IntegrityError
from django.utils import timezone

from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.judging import Rule, rule, with_address
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.segments.people import UnusableSegment
from massmail_plugin.audience.working_out import SourceGone, forget, open_audience, work_out
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress
from massmail_plugin.recipients.ownership import theirs

#: Seconds that somebody waits for the figures in front of the screen, and after pressing Send; what takes longer goes
#: on behind it.
PATIENCE_SECONDS, PATIENCE_AT_SEND = 4.0, 25.0
#: How long figures that took longer than that count as the present ones.
_KEPT = dt.timedelta(minutes=30)
#: Who is or may be in possession of the mail.
_GOT_IT = (DeliveryState.ACCEPTED, DeliveryState.HANDING, DeliveryState.IN_DOUBT)


def subject(mailing: Mailing) -> str:
    """Return the subject of its audience while it is a draft."""
    return f"mailing:{mailing.pk}"


def work_out_people(mailing: Mailing, audience: Audience, stop: Callable[[], bool] = lambda: False) -> bool:
    """Work ``audience`` out by the rules for this mailing. Returns and raises what ``work_out`` does."""
    owner = mailing.owner
    return work_out(audience, mailable=lambda one: theirs(one, owner), more=_already_got(mailing), stop=stop)


def count_people(mailing: Mailing, *, at_send: bool = False) -> Audience:
    """Return the audience of a draft as it is now; of long lists as it was minutes ago, or still incomplete.

    One that is incomplete is gone on with by each tick, and by whoever asks again. Raises what ``work_out`` raises.
    """
    audience = Audience.objects.filter(subject=subject(mailing)).first()
    if audience is None or (audience.is_complete and not _still_counts(audience)):
        audience = _open(mailing)
    end = time.monotonic() + (PATIENCE_AT_SEND if at_send else PATIENCE_SECONDS)
    work_out_people(mailing, audience, stop=lambda: time.monotonic() > end)
    return audience


def go_on_counting(stop: Callable[[], bool]) -> bool:
    """Go on with the audiences of drafts that somebody waits for. Returns whether any is still incomplete."""
    for audience in Audience.objects.filter(subject__startswith="mailing:", completed_at=None):
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
    try:
        return work_out_people(mailing, audience, stop)
    except (SourceGone, UnusableSegment, Audience.DoesNotExist):
        # Whoever asks next is told.
        forget_people(mailing)
        return True


def _open(mailing: Mailing) -> Audience:
    campaign = mailing.campaign
    try:
        return open_audience(subject(mailing), campaign.sources(), campaign.excluded_sources())
    except IntegrityError:
        # Somebody else has opened it in the same moment: both go on with it.
        return Audience.objects.get(subject=subject(mailing))


def _still_counts(audience: Audience) -> bool:
    """Whether it took long to work out, and not long ago."""
    assert audience.completed_at is not None
    took = (audience.completed_at - audience.created_at).total_seconds()
    return took > PATIENCE_SECONDS and audience.completed_at > timezone.now() - _KEPT


def _already_got(mailing: Mailing) -> list[Rule]:
    rules = []
    for other in mailing.campaign.excluded_mailings.all():
        got = Delivery.objects.filter(run__mailing=other, state__in=_GOT_IT).exclude(address=None)
        keys = EmailAddress.objects.filter(pk__in=got.values("address")).values("key")
        rules.append(rule(Reason.ALREADY_GOT, with_address(keys), str(other)))
    return rules
