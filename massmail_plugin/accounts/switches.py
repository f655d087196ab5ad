"""Switching accounts off and on again."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from wagtail.log_actions import log

from massmail_plugin.accounts.models import SenderAccount


def switch_off(account: SenderAccount, *, user: AbstractBaseUser | None = None) -> bool:
    """Let nothing leave through the account from now on. Returns whether it was on."""
    running = SenderAccount.objects.filter(pk=account.pk).exclude(state=SenderAccount.State.OFF)
    changed = bool(running.update(state=SenderAccount.State.OFF))
    if changed:
        log(instance=account, action="massmail.switch_off", user=user)
    return changed


def switch_on(account: SenderAccount, *, user: AbstractBaseUser | None = None) -> bool:
    """Let mails leave through the account again. Returns whether it was off."""
    off = SenderAccount.objects.filter(pk=account.pk, state=SenderAccount.State.OFF)
    changed = bool(off.update(state=SenderAccount.State.READY))
    if changed:
        log(instance=account, action="massmail.switch_on", user=user)
    return changed
