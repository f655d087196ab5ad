"""What keeps mails from leaving, in a sentence that says what to do; nothing while all is well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin import names
from massmail_plugin.admin.access import may
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.models import Epoch
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import RUNNING, MailingState


@dataclass(frozen=True, slots=True)
class Alarm:
    text: str
    #: Where to do something about it; empty if this person cannot.
    url: str = ""
    label: str = ""
    is_critical: bool = True


def alarms(user: Any) -> list[Alarm]:
    """Return what the user should know wherever mailings are shown, in two quick queries."""
    if doubtful := epoch.doubt():
        # Whether workers are alive does not matter then.
        return [_doubt_alarm(doubtful, user)]
    if not heartbeats.is_silent():
        return []
    return [_silence_alarm(heartbeats.silence(), user)] if _something_waits() else []


def account_alarms(user: Any) -> list[Alarm]:
    """Return the user's own accounts that a fault has stopped."""
    stopped = SenderAccount.objects.filter(owner=user.pk, state=SenderAccount.State.FAULTY)
    return [
        Alarm(
            _("Your sender account “%(name)s” has stopped: %(fault)s")
            % {"name": account.name, "fault": Truncator(account.last_fault).chars(200)},
            names.own_page(names.ACCOUNTS, account.pk),
            _("Look at the account"),
        )
        for account in stopped
    ]


def _doubt_alarm(doubtful: Epoch, user: Any) -> Alarm:
    text = _("No mail is sent: %(why)s") % {"why": doubtful.get_doubt_display()}
    if not may(user, "view", Epoch) and not may(user, "change", Epoch):
        return Alarm(f"{text} {_('Tell the people who run this site.')}")
    return Alarm(text, sending_url(), _("Decide what to do"))


def _silence_alarm(silence: timedelta | None, user: Any) -> Alarm:
    if silence is None:
        text = _("No worker has ever been seen. Mails wait.")
    elif silence <= heartbeats.SILENT_AFTER:
        text = _("The last worker has just been stopped. Mails wait.")
    else:
        text = _("No worker has been seen for %(time)s. Mails wait.") % {"time": in_words(silence)}
    if not may(user, "view", Epoch) and not may(user, "change", Epoch):
        return Alarm(f"{text} {_('Tell the people who run this site.')}")
    return Alarm(text, sending_url(), _("What to do"))


def _something_waits() -> bool:
    now = timezone.now()
    if Mailing.objects.filter(state__in=RUNNING).exists():
        return True
    return Mailing.objects.filter(
        state=MailingState.PENDING, start_at__lt=now - heartbeats.SILENT_AFTER
    ).exists()


def sending_url() -> str:
    return reverse(f"{names.SENDING}:index")


def in_words(length: timedelta) -> str:
    """Return a length of time in one unit: "7 minutes"."""
    now = timezone.now()
    return timesince(now - length, now, depth=1)
