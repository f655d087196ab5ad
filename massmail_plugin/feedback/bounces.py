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

# RFC 3463 3.2: bad mailbox, bad system, bad syntax, moved, null MX (RFC 7505). 5.1.7 and 5.1.8 speak of the
# sender, 5.1.0 of nothing in particular.
_GONE_CODE = re.compile(r"(?<![\d.])5\.1\.(?:1|2|3|6|10)(?!\.?\d)")
# A temporary refusal, the sender, a full or disabled mailbox, policy: RFC 3463 4.x.x, 5.1.7-8, 5.2.x, 5.7.x. Both
# patterns step over IP addresses, which servers like to quote.
_OTHER_CODE = re.compile(
    r"(?<![\d.])(?:4\.\d{1,3}\.\d{1,3}|5\.1\.[78]|5\.2\.\d{1,3}|5\.3\.4|5\.7\.\d{1,3})(?!\.?\d)"
)
_GONE_WORDS = re.compile(
    r"unknown (?:user|recipient|mailbox|local)|(?:user|recipient|mailbox|account) (?:is )?unknown"
    r"|no such (?:user|recipient|mailbox|address|person|domain)"
    r"|(?:user|recipient|mailbox|account|address|domain|host)(?: name)? does(?: not|n[’']t) exist"
    r"|(?:user|recipient|mailbox|account|address|domain|host) (?:was )?not found"
    r"|no mailbox here|not a valid (?:user|mailbox|recipient)|invalid (?:recipient|mailbox)|nxdomain"
    r"|recipient address rejected: user unknown|domain has no mail",
    re.IGNORECASE,
)
_OTHER_WORDS = re.compile(
    r"\bquota\b|mailbox (?:is )?full|over ?quota|out of (?:disk )?(?:space|storage)|insufficient (?:disk|storage)"
    r"|spam|block(?:ed|ing|list)|blacklist|polic(?:y|ies)|reputation|rate limit|too (?:many|large|big)"
    r"|sender address|temporar|try again|greylist|grey-list|time(?:d)?[ -]?out",
    re.IGNORECASE,
)
_HARD_NAME = re.compile(r"(?:^|[._ ])hard|^user unknown$|^NoEmail$", re.IGNORECASE)
_LENGTH = 4000


def is_hard(reject_reason: str | None, words: str, esp_event: Any = None) -> bool:
    """Whether a bounce means that the mailbox or its host does not exist.

    ``words`` is the receiving server's answer, empty if the provider does not tell it.
    """
    if reject_reason == RejectReason.INVALID:
        return True
    words = words[:_LENGTH]
    if words.strip():
        return _says_gone(words)
    return reject_reason == RejectReason.BOUNCED and _provider_says_hard(esp_event)


def _says_gone(words: str) -> bool:
    # The code is the server's exact statement and goes before prose, which may quote anything. Within
    # each, what speaks against it wins: a good address thrown away is the worse fault.
    if _OTHER_CODE.search(words):
        return False
    if _GONE_CODE.search(words):
        return True
    return bool(_GONE_WORDS.search(words)) and not _OTHER_WORDS.search(words)


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
