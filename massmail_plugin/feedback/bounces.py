"""Hard or soft: does a bounce say that the mailbox does not exist, or only that this mail was not taken?

Only the first ends an address. "Permanent" is not enough: policy, content, size and quota refuse for good
too, and providers report soft bounces with the same word as hard ones. So the server's own words decide, and
the provider's verdict only where it hands on no words at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anymail.signals import RejectReason

from massmail_plugin.delivery.transports.no_such_mailbox import says_no_such_mailbox

_HARD_NAME = re.compile(r"(?:^|[._ ])hard|^user unknown$|^NoEmail$", re.IGNORECASE)


def is_hard(reject_reason: str | None, words: str, esp_event: Any = None) -> bool:
    """Whether a bounce means that the mailbox or its host does not exist.

    ``words`` is the receiving server's answer, empty if the provider does not tell it.
    """
    if reject_reason == RejectReason.INVALID:
        return True
    if words.strip():
        return says_no_such_mailbox(words)
    return reject_reason == RejectReason.BOUNCED and _provider_says_hard(esp_event)


def _provider_says_hard(esp_event: Any) -> bool:
    """Whether the name that the provider gives the event says so: "hard_bounce", "HardBounce", "user unknown"."""
    if not isinstance(esp_event, Mapping):
        return False
    # Brevo, Mandrill; Postmark; MailerSend; Mailjet. Amazon SES: a kind within its "bounce" object.
    names = [esp_event.get(key) for key in ("event", "Type", "type", "error")]
    details = esp_event.get("bounce")
    if isinstance(details, Mapping):
        names.append(details.get("bounceSubType"))
    return any(isinstance(name, str) and bool(_HARD_NAME.search(name)) for name in names)
