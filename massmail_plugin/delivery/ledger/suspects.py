"""Which mails may have killed their workers."""

from __future__ import annotations

from massmail_plugin.mailings.models import Delivery


def is_suspect(delivery: Delivery) -> bool:
    """Whether this mail was in the hands of a worker that died, and may have been the reason.

    Only the sweeper leaves a mail with used attempts and no time for the next one.
    """
    return delivery.attempts > 1 and delivery.next_attempt_at is None
