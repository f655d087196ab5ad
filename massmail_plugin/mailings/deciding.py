"""A person decides what becomes of mails in doubt: some, or all of a mailing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from massmail_plugin.mailings.doubt import left_at
from massmail_plugin.mailings.ending import reopen
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState, move
from massmail_plugin.mailings.verbs import RETRIABLE, Refused, deliveries_of, log_verb

#: How many numbers of mails an entry of the audit log names; each mail says by itself what became of it.
_NAMED = 100


def in_doubt(mailing: Mailing) -> QuerySet[Delivery]:
    """Return the mails of ``mailing`` that wait for proof or for a person."""
    return deliveries_of(mailing).filter(state=DeliveryState.IN_DOUBT)


@transaction.atomic
def count_as_sent(
    mailing: Mailing,
    deliveries: Collection[int] | None = None,
    *,
    until: dt.datetime | None = None,
    user: AbstractBaseUser | None = None,
) -> int:
    """Call mails in doubt sent: these, or all. Returns how many; :class:`Refused` if there are none any more.

    ``until``: only those that were in doubt by then, which the person has seen.
    Nobody gets a second mail; who did not get the first gets none.
    """
    chosen, numbers = _chosen(mailing, deliveries, until)
    by_whom = user.get_username() if user else _("an administrator")
    counted = move(
        chosen,
        DeliveryState.ACCEPTED,
        handed_at=left_at(),
        detail=_("It was in doubt; %(person)s decided to count it as sent.") % {"person": by_whom},
    )
    _refuse_nothing(counted)
    log_verb(mailing, "massmail.count_as_sent", user, mails=counted, deliveries=numbers)
    return counted


@transaction.atomic
def send_again(
    mailing: Mailing,
    deliveries: Collection[int] | None = None,
    *,
    until: dt.datetime | None = None,
    user: AbstractBaseUser | None = None,
) -> int:
    """Queue mails in doubt again: these, or all. Returns how many; raises :class:`Refused`.

    ``until``: only those that were in doubt by then, which the person has seen.
    Nobody is left without a mail; who got the first gets a second, with the same Message-ID. A mailing that was
    done goes on.
    """
    # The lock keeps somebody from cancelling in between: nobody would look at these mails any more.
    if not Mailing.objects.select_for_update().filter(pk=mailing.pk, state__in=RETRIABLE).exists():
        raise Refused(_("This mailing was cancelled, so nothing of it can be sent again."))
    chosen, numbers = _chosen(mailing, deliveries, until)
    # The claim token stays: the worker may yet turn out to be alive, and know how it ended.
    queued = move(
        chosen,
        DeliveryState.QUEUED,
        attempts=0,
        next_attempt_at=None,
        detail=_("It was in doubt, and is sent again. It may arrive twice."),
    )
    _refuse_nothing(queued)
    reopen(mailing)
    log_verb(mailing, "massmail.send_again", user, mails=queued, deliveries=numbers)
    return queued


def _chosen(
    mailing: Mailing, deliveries: Collection[int] | None, until: dt.datetime | None
) -> tuple[QuerySet[Delivery], list[int]]:
    """Return the chosen mails that are in doubt, and the first of their numbers."""
    found = in_doubt(mailing)
    if deliveries is not None:
        found = found.filter(pk__in=deliveries)
    if until is not None:
        found = found.exclude(doubted_at__gt=until)
    return found, list(found.order_by("pk").values_list("pk", flat=True)[:_NAMED])


def _refuse_nothing(moved: int) -> None:
    if not moved:
        raise Refused(
            _("These mails are not in doubt any more, so nothing was changed. See how they stand now.")
        )
