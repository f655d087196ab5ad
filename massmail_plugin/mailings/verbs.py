"""What the verbs of a mailing have in common. Each is one move of its state; of two who try at once one succeeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from wagtail.log_actions import log

from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import RUNNING, MailingState, move

#: Where the failed mails of a mailing may be queued again.
RETRIABLE = (*RUNNING, MailingState.PAUSED, MailingState.INTERRUPTED, MailingState.DONE)


class Refused(Exception):
    """The verb cannot be done now; ``problems`` are sentences for people that say what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


def deliveries_of(mailing: Mailing) -> QuerySet[Delivery]:
    """Return the ledger of all runs of ``mailing``; without a join, so that its rows can be moved."""
    return Delivery.objects.filter(run__in=Run.objects.filter(mailing=mailing))


def move_from(mailing: Mailing, sources: Iterable[MailingState], target: MailingState, **fields: Any) -> bool:
    """Move ``mailing`` if it stands in one of ``sources`` now, whatever the caller's copy of it says."""
    here = Mailing.objects.filter(pk=mailing.pk, state__in=list(sources))
    return bool(move(here, target, **fields))


def log_verb(mailing: Mailing, action: str, user: Any, **data: Any) -> None:
    """Write one entry of the audit log."""
    log(instance=mailing, action=action, user=user, data=data or None)
