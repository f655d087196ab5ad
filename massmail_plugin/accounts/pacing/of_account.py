"""An account's fields and the site's preferences, as the arithmetic wants them."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone

from massmail_plugin import preferences
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.calendar import Calendar
from massmail_plugin.accounts.pacing.ration import Ration
from massmail_plugin.accounts.pacing.slowdown import Slowdown
from massmail_plugin.accounts.pacing.spreading import Spacing


def ration_of(account: SenderAccount, site: preferences.MailPreferences | None = None) -> Ration:
    """Return what ``account`` may do. ``site``: the preferences, if they are loaded already."""
    site = site or preferences.load()
    return Ration(
        account=account.pk,
        per_minute=account.per_minute,
        per_hour=account.per_hour,
        per_day=account.per_day,
        system_per_hour=site.per_hour_limit,
        spread_evenly=account.spread_evenly,
        spacing=Spacing(account.spacing_from, account.spacing_until),
        calendar=calendar_of(account, site),
        slowdown=slowdown_of(account),
    )


def calendar_of(account: SenderAccount, site: preferences.MailPreferences) -> Calendar:
    """Return the account's working hours; without any, the day still ends at its midnight."""
    zone = zone_of(account)
    if not account.working_hours_only:
        return Calendar(zone)
    return Calendar(
        zone,
        frozenset(account.working_days),
        account.work_from,
        account.work_until,
        frozenset(site.holidays.values_list("date", flat=True)),
    )


def slowdown_of(account: SenderAccount) -> Slowdown:
    return Slowdown(account.slowed_at, account.resume_at, account.slow_per_minute)


def zone_of(account: SenderAccount) -> ZoneInfo:
    """Return the account's time zone; the site's if it has none, or one that this machine does not know (any more)."""
    try:
        return ZoneInfo(account.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(timezone.get_default_timezone_name())
