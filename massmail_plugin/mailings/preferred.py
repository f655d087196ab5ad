"""Which account each person is used to: mails that always come from the same sender are read and trusted."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Max

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState


class PreferredAccounts:
    """Looks up the accounts that have written to people before, among those that may send a run."""

    def __init__(self, owner_id: int | None) -> None:
        """``owner_id``: whose accounts the run leaves through; None: everybody's."""
        # One that has stopped may be mended before its turn comes.
        accounts = SenderAccount.objects.exclude(state=SenderAccount.State.OFF).filter(owner_id=owner_id)
        kinds = dict(accounts.order_by().values_list("pk", "is_main"))
        self._mains = {pk for pk, is_main in kinds.items() if is_main}
        self._others = set(kinds) - self._mains
        #: Those that somebody is used to.
        self.found: set[int] = set()

    def among(self, addresses: Mapping[int, bool]) -> dict[int, int]:
        """Return the account that sent to each of these addresses last, where one did, in one query.

        ``addresses``: by number, whether it is a VIP's.
        """
        if len(self._mains | self._others) < 2:
            return {}  # Nothing to choose from.
        sent = Delivery.objects.filter(
            address__in=list(addresses),
            account__in=self._mains | self._others,
            state=DeliveryState.ACCEPTED,
            handed_at__isnull=False,
        )
        last = sent.order_by().values_list("address_id", "account_id").annotate(at=Max("handed_at"))
        chosen: dict[int, int] = {}
        for address, account, _at in sorted(last, key=lambda one: one[2]):
            if account in self._choice(is_vip=addresses[address]):
                chosen[address] = account
        self.found.update(chosen.values())
        return chosen

    def _choice(self, *, is_vip: bool) -> set[int]:
        return self._mains if is_vip and self._mains else self._others
