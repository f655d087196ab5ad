"""What becomes of one mail, on its way to the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from massmail_plugin.mailings.states import DeliveryState


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of one mail that a worker has claimed."""

    delivery: int
    claim_token: str
    state: DeliveryState
    #: The server's answer, or why not; one clean line of up to 1000 characters.
    detail: str = ""
    #: With "skipped".
    reason: str = ""
    provider_id: str = ""
    #: With "deferred", and with "queued" if others are to go first: seconds until the next attempt.
    wait: float = 0
    #: When it became known.
    at: datetime = field(default_factory=timezone.now)
    #: Whether the mail had been committed to be sent: if this got lost, it would be in doubt.
    past_fence: bool = False
