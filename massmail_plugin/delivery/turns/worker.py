"""What all runners call: send for a while through one account."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import cache

from massmail_plugin import conf
from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.keeping.journal import JournalUnusable
from massmail_plugin.delivery.keeping.replaying import replay
from massmail_plugin.delivery.ledger import routes
from massmail_plugin.delivery.turns.consequences import Drained
from massmail_plugin.delivery.turns.turn import Turn

__all__ = ["Drained", "drain"]


def drain(
    account_id: int, *, seconds: float | None = None, stop: Callable[[], bool] = lambda: False
) -> Drained:
    """Send what is due through one account, for about ``seconds`` (default SLICE_SECONDS), or until ``stop``.

    At the end no mail is begun any more, and those on their way are waited for. Whatever happens, mails that were
    not tried are given back.
    """
    if not epoch.may_send():
        return Drained()
    account = SenderAccount.objects.filter(pk=account_id, state=SenderAccount.State.READY).first()
    if account is None:
        return Drained()
    _spare_collector()
    end = time.monotonic() + (conf.get("SLICE_SECONDS") if seconds is None else seconds)
    replay()
    try:
        turn = Turn(account, end, stop)
    except JournalUnusable as error:
        faults.note(account, str(error))
        return Drained(stopped=str(error))
    drained = turn.run()
    # Nothing handled although something waits: another worker is at it, or the limits are.
    drained.more = bool(drained.handled) and turn.ended_early and routes.has_work(account)
    drained.next_in = None if drained.more else turn.next_in
    return drained


@cache
def _spare_collector() -> None:
    """Keep what stays for as long as the process out of its garbage collections, once.

    Some hundred thousand objects of Django's and the host's, which each full collection would look at again: for every
    few hundred mails one.
    """
    gc.collect()
    gc.freeze()
