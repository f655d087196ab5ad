"""What is known and not yet written to the ledger: kept in the journal, and written for many mails at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from massmail_plugin.delivery.keeping.journal import Journal
from massmail_plugin.delivery.keeping.patience import Patience
from massmail_plugin.delivery.ledger import fence, writing
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.mailings.models import Delivery

logger = logging.getLogger("massmail_plugin.delivery")

#: Entries are written when there are so many, or when the oldest has waited so many seconds.
_MANY = 50
_SECONDS = 0.5


class Records:
    """The entries of one turn on their way to the ledger. Raises ``JournalUnusable``."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._entries: list[Entry] = []
        self._oldest = 0.0

    def add(self, entry: Entry) -> None:
        """Keep this until it is written. From here on it survives the death of this process."""
        if not self._entries:
            self._oldest = time.monotonic()
        self._entries.append(entry)
        # One that never passed the fence was not sent: the worst that its loss does is another attempt.
        if entry.past_fence:
            self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        try:
            if not self._journal.has_room:
                self._write()
                return
            self._journal.append(entry)
        except OSError:
            # A broken disk; what is known must reach the database all the more.
            logger.exception("The journal cannot be written")
            self._write()

    def commit_to_send(self, deliveries: Collection[Delivery]) -> set[int]:
        """Pass the fence, and write everything that is known by the same commit. See the ledger's.

        So what became of a connection's last mail survives even a power cut, before it risks the next.
        """
        allowed = fence.commit_to_send(deliveries, self._entries)
        self._forget()
        return allowed

    def write_if_due(self, *, is_idle: bool) -> None:
        """Write what has come together, if it is worth a commit."""
        waited = time.monotonic() - self._oldest
        if self._entries and (is_idle or len(self._entries) >= _MANY or waited >= _SECONDS):
            self._write()

    def close(self, patience: Patience) -> None:
        """Write everything, or as much as the journal alone can keep. Raises what the database says last."""
        try:
            if self._entries:
                patience.wait_through(self._write)
        finally:
            self._journal.close(keep=bool(self._entries))

    def _write(self) -> None:
        writing.write(self._entries)
        self._forget()

    def _forget(self) -> None:
        self._entries = []
        self._journal.forget()
