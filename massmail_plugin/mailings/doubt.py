"""Mails of which nobody can say whether they left: how they come into doubt, and what proves that they were sent.

The server takes a mail and its answer is lost: both sides then hold the mail, and no client can know (RFC 1047).
Such a mail is held until proof or a person settles it, or sent again if its mailing says so.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.formats import date_format

from massmail_plugin import conf
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import DeliveryState, MailingState, move

#: Seconds before a mail in doubt is sent again by itself: proof that it arrived may come first.
RESEND_AFTER = 300

#: Where a mail may stand that was in doubt once and is to be sent again, or was without success.
_AFTER_DOUBT = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.FAILED)
#: A worker has it in hand for one more attempt, which its fence then refuses.
_TAKEN_UP = Q(state=DeliveryState.CLAIMED, doubted_at__isnull=False)


def call_in_doubt(deliveries: QuerySet[Delivery], detail: str, *, now: dt.datetime) -> int:
    """Give those of ``deliveries`` that are being handed over the end that their unknown outcome deserves.

    What has come back meanwhile makes them sent; a mailing that says so sends them again, with the same
    Message-ID, until its attempts are used up; all others are in doubt. ``now`` is the database's time. Returns
    how many mails moved.
    """
    handing = deliveries.filter(state=DeliveryState.HANDING)
    # Proof that comes in between leaves the mail where it is, for the next time.
    unknown = handing.filter(handed_at=None)
    doubted: dict[str, Any] = {"lease_until": None, "doubted_at": now, "detail": detail}
    resending = Run.objects.filter(mailing__in_doubt=Mailing.InDoubt.RESEND).exclude(
        mailing__state=MailingState.CANCELLED
    )
    again = unknown.filter(run__in=resending, attempts__lt=conf.get("MAX_ATTEMPTS"))
    with transaction.atomic():
        proved = move(handing.exclude(handed_at=None), DeliveryState.ACCEPTED, lease_until=None)
        later = now + dt.timedelta(seconds=RESEND_AFTER)
        resent = move(again, DeliveryState.DEFERRED, next_attempt_at=later, **doubted)
        held = move(unknown, DeliveryState.IN_DOUBT, **doubted)
    return proved + resent + held


def prove_sent(
    delivery: Delivery, sentence: Any, at: dt.datetime | None = None, *, by_a_look: bool = False
) -> bool:
    """Something came back, so the mail had left: settle a doubt as sent. Returns whether there was one.

    ``sentence`` (lazy, for people) says by what, with ``%(when)s`` for ``at``, or now if that is not known.
    Never moves a mail anywhere else.

    ``by_a_look``: something has opened one of its addresses. Mail servers do so before they answer, and may
    refuse the mail all the same: one that is just being handed over only remembers it. The server's answer
    decides; if it never comes, the look does (:func:`call_in_doubt`).
    """
    if delivery.state in (DeliveryState.ACCEPTED, DeliveryState.SKIPPED):
        return False  # No move leads away from there, so that even an old copy tells the truth.
    proof: dict[str, Any] = {"detail": _written_down(sentence, at), "handed_at": left_at()}
    here = Delivery.ledger.filter(pk=delivery.pk)
    doubtful = Q(state=DeliveryState.IN_DOUBT) | Q(state__in=_AFTER_DOUBT, doubted_at__isnull=False)
    if by_a_look:
        here.filter(state=DeliveryState.HANDING, handed_at=None).update(**proof)
    else:
        doubtful |= Q(state=DeliveryState.HANDING) | _TAKEN_UP
    proof |= {"paced_at": left_at(), "lease_until": None, "next_attempt_at": None}
    return bool(move(here.filter(doubtful), DeliveryState.ACCEPTED, **proof))


def left_at() -> Case:
    """Return when a mail that was in doubt left, as far as that is known, for an UPDATE: the time of its fence.

    While somebody has it in hand once more, its mark lies in the future and is not that of its fence.
    """
    fence = Coalesce("paced_at", "doubted_at", Value(timezone.now(), DateTimeField()))
    return Case(When(state=DeliveryState.CLAIMED, then=F("doubted_at")), default=fence)


def _written_down(sentence: Any, at: dt.datetime | None) -> str:
    """Return the sentence for the ledger: in the site's own language and time zone, whoever the visitor is."""
    moment = timezone.localtime(at or timezone.now(), timezone.get_default_timezone())
    with translation.override(settings.LANGUAGE_CODE):
        return str(sentence) % {"when": date_format(moment, "DATETIME_FORMAT")}
