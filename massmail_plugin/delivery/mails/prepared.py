"""Claimed mails with all that is needed to make them, loaded in a few queries for all."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import Model

from massmail_plugin import preferences, recipients
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.delivery.mails.messages import Composer, compose_delivery
from massmail_plugin.delivery.mails.outgoing import OutgoingMail
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients.addresses import key_of

logger = logging.getLogger("massmail_plugin.delivery")


class Prepared:
    """The records and the frozen contents of some deliveries."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self._records: dict[tuple[str, str], Model] = {}
        self._composers: dict[int, Composer] = {}
        #: By number of the run, or key of the recipient type.
        self._faults: dict[int | str, str] = {}
        self._load_composers(deliveries)
        self._load_records(deliveries)

    def fault(self, delivery: Delivery) -> str:
        """Return what keeps this mail from being made now; empty if nothing does."""
        return self._faults.get(delivery.run_id) or self._faults.get(delivery.recipient_type) or ""

    def changed_since_start(self, delivery: Delivery) -> str:
        """Return why the frozen row no longer fits its record, or the empty text: the last state wins."""
        # As the claim has loaded them.
        claimed: Any = delivery
        if claimed.address_erased_since:
            return Reason.ERASED
        recipient_type = recipients.get(delivery.recipient_type)
        record = self._records.get((delivery.recipient_type, delivery.object_id))
        if recipient_type is None or record is None:
            return Reason.RECORD_GONE
        key = key_of(recipient_type.record_email(record))
        return "" if key and key == claimed.address_key else Reason.ADDRESS_CHANGED

    def compose(self, account: SenderAccount, delivery: Delivery) -> OutgoingMail:
        """Return the mail. Raises ``RenderFailed``, or whatever a property of the host's raises."""
        recipient_type = recipients.get(delivery.recipient_type)
        assert recipient_type is not None
        contact = recipient_type.merge_values(self._records[delivery.recipient_type, delivery.object_id])
        return compose_delivery(self._composers[delivery.run_id], account, delivery, contact)

    def _load_composers(self, deliveries: Sequence[Delivery]) -> None:
        base_url = preferences.load().base_url
        for run in {delivery.run_id: delivery.run for delivery in deliveries}.values():
            with self._only_concerning(run.pk):
                self._composers[run.pk] = Composer.for_run(run, base_url)

    def _load_records(self, deliveries: Sequence[Delivery]) -> None:
        ids: dict[str, list[str]] = defaultdict(list)
        for delivery in deliveries:
            ids[delivery.recipient_type].append(delivery.object_id)
        for key, object_ids in ids.items():
            recipient_type = recipients.get(key)
            if recipient_type is not None:
                with self._only_concerning(key):
                    loaded = recipient_type.load(object_ids)
                    self._records |= {(key, object_id): record for object_id, record in loaded.items()}

    @contextmanager
    def _only_concerning(self, what: int | str) -> Iterator[None]:
        """Keep a fault to the mails of this run or type: the others have to leave."""
        try:
            yield
        except (OperationalError, InterfaceError):
            raise  # The database is away, for all of them.
        except Exception as error:
            logger.exception("Mails of %s cannot be made now", what)
            self._faults[what] = f"{type(error).__name__}: {error}"
