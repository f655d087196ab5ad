"""An account's own faults: they stop the account and never count against a recipient."""

from __future__ import annotations

import logging

from django.utils import timezone

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.redacting import without_secrets

logger = logging.getLogger("massmail_plugin.accounts")


def stop(account: SenderAccount, message: str) -> bool:
    """Stop the account with a message for its owner. Returns whether it was still running."""
    message = without_secrets(account, message)
    stopped = SenderAccount.objects.filter(pk=account.pk, state=SenderAccount.State.READY).update(
        state=SenderAccount.State.FAULTY, last_fault=message[:2000], last_fault_at=timezone.now()
    )
    if stopped:
        logger.error("Account %s stopped: %s", account.pk, message)
    return bool(stopped)


def note(account: SenderAccount, message: str) -> None:
    """Remember a passing fault (server busy, no connection) without stopping the account."""
    message = without_secrets(account, message)
    SenderAccount.objects.filter(pk=account.pk).update(
        last_fault=message[:2000], last_fault_at=timezone.now()
    )


def mend(account: SenderAccount) -> bool:
    """Somebody has mended a stopped account: it may be used again. Returns whether it was stopped."""
    return bool(
        SenderAccount.objects.filter(pk=account.pk, state=SenderAccount.State.FAULTY).update(
            state=SenderAccount.State.READY
        )
    )
