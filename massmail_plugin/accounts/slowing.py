"""A server has said that mails come too fast: the account waits, and goes on more slowly."""

from __future__ import annotations

import datetime as dt
import logging

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.of_account import slowdown_of
from massmail_plugin.accounts.pacing.slowdown import Slowdown

logger = logging.getLogger("massmail_plugin.accounts")


def slow_down(
    account_id: int, now: dt.datetime, *, sent_last_minute: int, retry_after: float | None = None
) -> Slowdown | None:
    """Write down a complaint heard at ``now``, the database's time. Returns what follows; None: no such account.

    ``retry_after``: seconds that the server asks us to wait. Workers that hear the same complaint at the same time
    slow the account down once.
    """
    asked = dt.timedelta(seconds=max(0.0, retry_after or 0.0))
    while account := SenderAccount.objects.filter(pk=account_id).first():
        before = slowdown_of(account)
        after = before.complained(now, sent_last_minute=sent_last_minute, retry_after=asked)
        unchanged = SenderAccount.objects.filter(
            pk=account_id, slowed_at=before.since, resume_at=before.resume_at
        )
        if unchanged.update(
            slowed_at=after.since, resume_at=after.resume_at, slow_per_minute=after.per_minute
        ):
            if after.since != before.since:
                logger.warning("Account %s waits until %s: too many mails", account_id, after.resume_at)
            return after
    return None
