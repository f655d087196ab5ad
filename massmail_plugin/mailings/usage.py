"""What accounts have used up: counted from the marks in the ledger, and those of the mails that confirm sign-ups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import router
from django.db.models import Count, Max, Min, Q, QuerySet

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.ration import Ration, Used
from massmail_plugin.accounts.pacing.windows import DAY, HOUR, MINUTE, Tally
from massmail_plugin.audience.sign_ups import SignUp
from massmail_plugin.mailings.models import Delivery


def used_by(ration: Ration, now: datetime) -> Used:
    """Return what the account of ``ration`` has used at ``now``, as far as the ration limits it.

    For a claim: in its transaction, with the account's row locked (and the preferences' row before it, if there is a
    limit for all accounts together), so that no other claim counts at the same time.
    """
    if not ration.counts_marks:
        return Used()
    windows = ration.windows(now)
    marks = Delivery.ledger.filter(account=ration.account)
    # Rarely any: one short question, and no more.
    sign_ups = _sign_ups(windows.day)
    own = [at for account, at in sign_ups if account == ration.account]
    counted: dict[str, Any] = {}
    if ration.minute_limit(now)[0] is not None:
        counted["minute"] = _with(own, windows.minute, _tally(marks, windows.minute))
    if ration.per_hour is not None:
        counted["hour"] = _with(own, windows.hour, _tally(marks, windows.hour))
    if ration.per_day is not None:
        counted["day"] = _with(own, windows.day, _tally(marks, windows.day))
    if ration.spreads and windows.today and windows.step:
        counted["today"] = _number(marks, own, windows.today) if ration.per_day else 0
        counted["step"] = _number(marks, own, windows.step)
    if ration.spacing:
        counted["newest"] = marks.aggregate(newest=Max("paced_at"))["newest"]
    if ration.system_per_hour is not None:
        everybodys = [at for _account, at in sign_ups]
        counted["system"] = _with(everybodys, windows.hour, _tally(_everybodys(), windows.hour))
    return Used(**counted)


def used_by_domain(domains: list[str], now: datetime) -> dict[str, int]:
    """Return how many mails each of these recipient domains got in the last hour, through any account."""
    marks = _everybodys().filter(paced_at__gt=now - HOUR)
    names = {f"domain{number}": domain for number, domain in enumerate(domains)}
    found = marks.aggregate(
        **{name: Count("pk", filter=Q(envelope__iendswith=f"@{domain}")) for name, domain in names.items()}
    )
    return {domain: found[name] for name, domain in names.items()}


@dataclass(frozen=True, slots=True)
class Sent:
    """How many mails have left, or are on their way, in the last hour and in the last 24 hours."""

    hour: int = 0
    day: int = 0


def sent_through(accounts: list[int], now: datetime) -> dict[int, Sent]:
    """Return what each of these accounts has sent, in one query."""
    marks = Delivery.ledger.filter(account__in=accounts, paced_at__gt=now - DAY).order_by()
    rows = marks.values_list("account").annotate(
        day=Count("pk"), hour=Count("pk", filter=Q(paced_at__gt=now - HOUR))
    )
    found = {account: Sent(hour, day) for account, day, hour in rows}
    for account, at in _sign_ups(now - DAY):
        before = found.get(account, Sent())
        found[account] = Sent(before.hour + (at > now - HOUR), before.day + 1)
    return {account: found.get(account, Sent()) for account in accounts}


def sent_last_minute(account_id: int, now: datetime) -> int:
    """Return how many mails have left through the account in the last minute; those in flight have not."""
    return Delivery.ledger.filter(account=account_id, paced_at__gt=now - MINUTE, paced_at__lte=now).count()


def _tally(marks: QuerySet[Delivery], since: datetime) -> Tally:
    found = marks.filter(paced_at__gt=since).aggregate(number=Count("pk"), oldest=Min("paced_at"))
    return Tally(found["number"], found["oldest"])


def _sign_ups(since: datetime) -> list[tuple[int, datetime]]:
    """Return the marks of the mails that confirm sign-ups: account (0: deleted) and time."""
    marks = SignUp.objects.filter(paced_at__gt=since).values_list("account", "paced_at")
    return [(account or 0, at) for account, at in marks if at is not None]


def _with(others: list[datetime], since: datetime, tally: Tally) -> Tally:
    """Return ``tally`` with those of the other marks that are in its window."""
    within = [at for at in others if at > since]
    return Tally(
        tally.number + len(within), min([*within, *([tally.oldest] if tally.oldest else [])], default=None)
    )


def _number(marks: QuerySet[Delivery], others: list[datetime], since: datetime) -> int:
    return int(marks.filter(paced_at__gt=since).count()) + sum(at > since for at in others)


def _everybodys() -> QuerySet[Delivery]:
    """Return all deliveries, by accounts: that is how the index is ordered. Those of deleted accounts count too."""
    known = SenderAccount.objects.using(router.db_for_write(SenderAccount))
    accounts = list(known.order_by().values_list("pk", flat=True))
    return Delivery.ledger.filter(Q(account__in=accounts) | Q(account=None))
