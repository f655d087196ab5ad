"""Which mailings would stand still without an account."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import OPEN, UNDER_WAY


def mailings_that_need(accounts: Iterable[SenderAccount]) -> QuerySet[Mailing]:
    """Return the mailings under way that have no other ready account, or have open mails at one of these."""
    going = list(accounts)
    ids = [account.pk for account in going]
    ready = SenderAccount.objects.filter(state=SenderAccount.State.READY).exclude(pk__in=ids)
    left = set(ready.values_list("owner_id", flat=True))
    lost = {account.owner_id for account in going if account.is_ready} - left
    at_them = Delivery.objects.filter(run__mailing=OuterRef("pk"), account__in=ids, state__in=OPEN)
    needs = Q(Exists(at_them))
    if owners := lost - {None}:
        needs |= Q(owner__in=owners) & (~_has_run() | _has_run(own_accounts=True))
    if None in lost:
        own = SenderAccount.objects.exclude(owner=None).exclude(state=SenderAccount.State.OFF)
        without_own = Q(owner=None) | ~Q(owner__in=own.values("owner"))
        needs |= (~_has_run() & without_own) | _has_run(own_accounts=False)
    return Mailing.objects.filter(needs, state__in=UNDER_WAY)


def _has_run(**conditions: bool) -> Q:
    """A started mailing keeps to the kind of account that it started with: see ``Run.own_accounts``."""
    return Q(Exists(Run.objects.filter(mailing=OuterRef("pk"), **conditions)))
