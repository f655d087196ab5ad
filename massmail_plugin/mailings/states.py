"""The states of a mailing and of a delivery, with the one table of allowed moves for each.

A move is a conditional UPDATE whose row count is checked, so that of two people who press the same button,
and of two workers who hold the same mail, exactly one succeeds.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import QuerySet, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext_lazy as _


class MailingState(models.TextChoices):
    """Where a mailing stands. Kept on the mailing itself, which has no revisions that could bring an old one back."""

    #: Being written; nothing happens by itself.
    DRAFT = "draft", _("Draft")
    #: Released; starts when its start time has come.
    PENDING = "pending", _("Pending")
    #: Content and audience are frozen, mails are leaving.
    ACTIVE = "active", _("Active")
    #: Mails are leaving although some failed or are in doubt.
    ACTIVE_ERROR = "active_error", _("Active but error")
    #: A person has stopped it; a person can let it go on.
    PAUSED = "paused", _("Paused")
    #: It cannot go on by itself: no usable account, or it could not be started.
    INTERRUPTED = "interrupted", _("Interrupted")
    #: Every delivery has an end.
    DONE = "done", _("Done")
    #: A person has ended it; what was still queued will never be sent.
    CANCELLED = "cancelled", _("Cancelled")


RUNNING = (MailingState.ACTIVE, MailingState.ACTIVE_ERROR)
#: Released and not ended: somebody waits for it, or should look after it.
UNDER_WAY = (MailingState.PENDING, *RUNNING, MailingState.PAUSED, MailingState.INTERRUPTED)
#: What is neither under way nor the proof of what was sent.
DELETABLE = (MailingState.DRAFT, MailingState.CANCELLED)

MAILING_MOVES: dict[MailingState, tuple[MailingState, ...]] = {
    MailingState.DRAFT: (MailingState.PENDING, MailingState.CANCELLED),
    MailingState.PENDING: (
        MailingState.DRAFT,
        MailingState.ACTIVE,
        MailingState.INTERRUPTED,
        MailingState.CANCELLED,
    ),
    MailingState.ACTIVE: (
        MailingState.ACTIVE_ERROR,
        MailingState.PAUSED,
        MailingState.INTERRUPTED,
        MailingState.DONE,
        MailingState.CANCELLED,
    ),
    MailingState.ACTIVE_ERROR: (
        MailingState.ACTIVE,
        MailingState.PAUSED,
        MailingState.INTERRUPTED,
        MailingState.DONE,
        MailingState.CANCELLED,
    ),
    MailingState.PAUSED: (MailingState.ACTIVE, MailingState.CANCELLED),
    # Interrupted before its first mail: back to Draft, to pass the checks again.
    MailingState.INTERRUPTED: (MailingState.ACTIVE, MailingState.DRAFT, MailingState.CANCELLED),
    # Retrying the unsuccessful reopens a mailing.
    MailingState.DONE: (MailingState.ACTIVE,),
    MailingState.CANCELLED: (),
}


class DeliveryState(models.TextChoices):
    """Where one mail stands in being handed over. What happens after that is a DeliveryEvent."""

    #: Waiting for a worker.
    QUEUED = "queued", _("waiting")
    #: A worker owns it and has not yet risked sending it: if the worker dies it is queued again.
    CLAIMED = "claimed", _("being prepared")
    #: The worker has committed to sending it: if the worker dies now nobody knows whether it left.
    HANDING = "handing", _("being handed over")
    #: The mail server took responsibility.
    ACCEPTED = "accepted", _("sent")
    #: A temporary fault; it is tried again at ``next_attempt_at``.
    DEFERRED = "deferred", _("will be tried again")
    #: The server refused it for good, or its attempts are used up.
    FAILED = "failed", _("failed")
    #: It may or may not have left; see :mod:`massmail_plugin.mailings.doubt`.
    IN_DOUBT = "in_doubt", _("in doubt")
    #: Gets no mail, for the reason given.
    SKIPPED = "skipped", _("left out")
    #: The mailing was cancelled before its turn.
    CANCELLED = "cancelled", _("cancelled")


#: States in which a delivery waits for a worker.
WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
#: States of a mail that somebody got, or may have got: a doubt counts, because nobody must get a second one for it.
MAY_HAVE_GOT = (DeliveryState.ACCEPTED, DeliveryState.HANDING, DeliveryState.IN_DOUBT)
#: States in which a delivery still waits for its end.
OPEN = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.HANDING, DeliveryState.DEFERRED)

# To ACCEPTED from before the fence: one that was in doubt before turns out to have arrived. To IN_DOUBT from there: a
# worker says that it has left, of which the database knows nothing.
DELIVERY_MOVES: dict[DeliveryState, tuple[DeliveryState, ...]] = {
    DeliveryState.QUEUED: (
        DeliveryState.CLAIMED,
        DeliveryState.ACCEPTED,
        DeliveryState.IN_DOUBT,
        DeliveryState.SKIPPED,
        DeliveryState.CANCELLED,
    ),
    DeliveryState.DEFERRED: (
        DeliveryState.CLAIMED,
        DeliveryState.ACCEPTED,
        DeliveryState.IN_DOUBT,
        DeliveryState.SKIPPED,
        DeliveryState.CANCELLED,
    ),
    DeliveryState.CLAIMED: (
        DeliveryState.HANDING,
        DeliveryState.ACCEPTED,
        DeliveryState.IN_DOUBT,
        DeliveryState.QUEUED,
        DeliveryState.DEFERRED,
        DeliveryState.FAILED,
        DeliveryState.SKIPPED,
        DeliveryState.CANCELLED,
    ),
    DeliveryState.HANDING: (
        DeliveryState.ACCEPTED,
        DeliveryState.DEFERRED,
        DeliveryState.QUEUED,
        DeliveryState.FAILED,
        DeliveryState.IN_DOUBT,
    ),
    # Proof (an answer that came late, a webhook, a click) or a person settles a doubt.
    DeliveryState.IN_DOUBT: (
        DeliveryState.ACCEPTED,
        DeliveryState.DEFERRED,
        DeliveryState.FAILED,
        DeliveryState.QUEUED,
    ),
    DeliveryState.FAILED: (DeliveryState.QUEUED, DeliveryState.ACCEPTED),
    DeliveryState.CANCELLED: (),
    DeliveryState.ACCEPTED: (),
    DeliveryState.SKIPPED: (),
}


def move(
    queryset: QuerySet[Any],
    target: MailingState | DeliveryState,
    *,
    by_number: bool = False,
    **fields: Any,
) -> int:
    """Move the rows of ``queryset`` to ``target``, as far as the table allows it from where each stands.

    One conditional UPDATE. Returns how many rows moved; 0 means that somebody else was first. Raises
    ``ValueError`` for conditions on other tables that are not in subqueries of their own. ``by_number``: see
    :func:`movable`.
    """
    # The state last: MariaDB changes one column after the other, and a field's new value may hang on the old state.
    return movable(queryset, target, by_number=by_number).update(**fields, state=target)


def movable(
    queryset: QuerySet[Any], target: MailingState | DeliveryState, *, by_number: bool = False
) -> QuerySet[Any]:
    """Return those rows of ``queryset`` that the table allows to move to ``target``. Raises what ``move`` raises.

    ``by_number``: the rows are named by their numbers, and are to be found by these alone. PostgreSQL, which knows
    little of a ledger that has just been made, would rather look through all that have such a state.
    """
    table: dict[Any, tuple[Any, ...]] = MAILING_MOVES if isinstance(target, MailingState) else DELIVERY_MOVES
    sources = [source for source, targets in table.items() if target in targets]
    if by_number:
        # No index holds this.
        moving = queryset.alias(state_text=Concat("state", Value(""))).filter(state_text__in=sources)
    else:
        moving = queryset.filter(state__in=sources)
    # A join would put all conditions into a subquery (Django), which PostgreSQL does not ask again about a row that
    # somebody else has changed while the UPDATE waited for it: a mail just sent would become a cancelled one.
    if moving.query.count_active_tables() > 1:
        raise ValueError("Name other tables in a subquery (Exists, __in), not by a join.")
    return moving
