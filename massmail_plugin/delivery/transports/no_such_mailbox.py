"""Does a refusal say that the mailbox does not exist, or only that this mail was not taken?

Only the first ends an address. "Permanent" is not enough: policy, content, size and quota refuse for good too.
"""

from __future__ import annotations

import re

# RFC 3463 3.2: bad mailbox, bad system, bad syntax, moved, null MX (RFC 7505); 3.5: no route to the host. 5.1.7 and
# 5.1.8 speak of the sender, 5.1.0 of nothing in particular.
_GONE_CODE = re.compile(r"(?<![\d.])5\.(?:1\.(?:1|2|3|6|10)|4\.4)(?!\.?\d)")
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
_LENGTH = 4000


def says_no_such_mailbox(words: str) -> bool:
    """Whether these words of a mail server, with or without RFC 3463's code, say that mailbox or host do not exist."""
    words = words[:_LENGTH]
    # The code is the server's exact statement and goes before prose, which may quote anything. Within
    # each, what speaks against it wins: a good address thrown away is the worse fault.
    if _OTHER_CODE.search(words):
        return False
    if _GONE_CODE.search(words):
        return True
    return bool(_GONE_WORDS.search(words)) and not _OTHER_WORDS.search(words)
