"""Which account each person is used to: mails that always come from the same sender are read and trusted."""

from __future__ import annotations

from massmail_plugin.accounts.models import SenderAccount


class PreferredAccounts:
    """The accounts that may send a run, by number: those of the VIPs, and those of everybody else."""

    def __init__(self, owner_id: int | None) -> None:
        """``owner_id``: whose accounts the run leaves through; None: everybody's."""
        # One that has stopped may be mended before its turn comes.
        accounts = SenderAccount.objects.exclude(state=SenderAccount.State.OFF).filter(owner_id=owner_id)
        kinds = dict(accounts.order_by().values_list("pk", "is_main"))
        mains = {pk for pk, is_main in kinds.items() if is_main}
        self.for_others = set(kinds) - mains
        self.for_vips = mains or self.for_others
        #: Otherwise there is nothing to prefer.
        self.is_choice = len(kinds) > 1
