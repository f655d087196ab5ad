"""What an account has sent, of how much it may send, and when its next mail may leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import time_format
from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.of_account import zone_of
from massmail_plugin.mailings import forecast, forecast_words
from massmail_plugin.mailings.usage import Sent, sent_through


def attach_usage(accounts: Iterable[SenderAccount]) -> list[SenderAccount]:
    """Give each account ``usage``: what its columns show, in one query for all of them."""
    found = list(accounts)
    sent = sent_through([account.pk for account in found], timezone.now())
    for account in found:
        account.usage = usage_of(account, sent[account.pk])  # type: ignore[attr-defined]
    return found


@dataclass(frozen=True, slots=True)
class Usage:
    last_hour: str
    last_day: str


def usage_of(account: SenderAccount, sent: Sent) -> Usage:
    return Usage(_of(sent.hour, account.per_hour), _of(sent.day, account.per_day))


def _of(number: int, limit: int | None) -> str:
    if limit is None:
        return intcomma(number)
    return _("%(number)s of %(limit)s") % {"number": intcomma(number), "limit": intcomma(limit)}


def limit_facts(account: SenderAccount) -> list[tuple[str, str]]:
    """Return what the account's page says about its limits: labels and values."""
    sent = sent_through([account.pk], timezone.now())[account.pk]
    usage = usage_of(account, sent)
    facts = [
        (_("Sent in the last hour"), usage.last_hour),
        (_("Sent in the last 24 hours"), usage.last_day),
        (_("Works"), working_time(account)),
        (_("Recipients"), _("only VIPs") if account.is_main else _("all")),
    ]
    if account.spread_evenly and (account.per_day or account.per_hour):
        facts.insert(2, (_("Within its limits"), _("evenly spread")))
    return facts


def next_mail(account: SenderAccount) -> str:
    """Return when the next mail may leave, if not at once, and why."""
    now = timezone.now()
    return forecast_words.waiting_sentence(forecast.of_account(account, now), now) if account.is_ready else ""


def working_time(account: SenderAccount) -> str:
    """Return when the account works, in one line."""
    if not account.working_hours_only:
        return _("at any time")
    days = ", ".join(str(WEEKDAYS_ABBR[day]) for day in account.working_days)
    zone = zone_of(account).key
    if account.work_from is None or account.work_until is None:
        return _("%(days)s (%(zone)s)") % {"days": days, "zone": zone}
    hours = f"{time_format(account.work_from, 'H:i')}–{time_format(account.work_until, 'H:i')}"
    return _("%(days)s, %(hours)s (%(zone)s)") % {"days": days, "hours": hours, "zone": zone}
