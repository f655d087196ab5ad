"""What the replies of a mail server say about a mail: one table, read from the top."""

from __future__ import annotations

import re
import smtplib
from dataclasses import dataclass
from enum import Enum

from django.utils.translation import gettext as _

from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.transports.no_such_mailbox import says_no_such_mailbox


class Phase(Enum):
    """What the reply answers."""

    CONNECT = "connect"
    #: HELO and STARTTLS' second EHLO too.
    EHLO = "ehlo"
    #: STARTTLS itself too: both are about what the account asks for.
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    #: The end of the mail.
    DOT = "dot"


_GREETING = frozenset({Phase.CONNECT, Phase.EHLO})
#: Here the server knows the recipient: its reply may be about them alone.
_RECIPIENT_KNOWN = frozenset({Phase.RCPT, Phase.DATA, Phase.DOT})
_TRANSACTION = _RECIPIENT_KNOWN | {Phase.MAIL}
_ANY = frozenset(Phase)

#: RFC 3463's code, wherever the server puts it; not a part of an IP address or of a version.
_STATUS = re.compile(r"(?<![\d.])[245]\.(?P<subject>[0-7])\.(?P<detail>\d{1,3})(?!\.?\d)")

_GREYLISTED = r"gr[ae]y-?list|postgrey"
_MAILBOX_FULL = r"mailbox|inbox|over ?quota|storage|disk"
_MAILBOX_FULL_FOR_GOOD = r"mailbox (?:is )?full|mailbox size|over ?quota|exceed\w* .{0,20}(?:quota|storage)"
_THROTTLED = (
    r"rate.?limit|limit (?:\w+ ){0,3}(?:exceeded|reached)|exceed\w* (?:\S+ ){0,6}(?:limit|quota|rate)|quota exceeded"
    r"|throttl|too many|too (?:fast|quickly)|slow down|unusual rate|sending rate|unexpected volume|server (?:is )?busy"
    r"|credits? exceeded"
)
_QUOTA_USED_UP = (
    r"(?:daily|hourly|monthly|submission|sending) ?\b.{0,30}(?:limit|quota).{0,30}(?:exceed|reach)"
    r"|SubmissionQuotaExceeded|exceed\w* .{0,40}(?:daily|hourly|sending (?:limit|quota)|e?mails? per)"
    r"|reached .{0,20}daily limit"
)
_TOO_LARGE = (
    r"(?:message|mail|size|data|content)\b.{0,30}\btoo (?:large|big)|too (?:large|big) a message|size exceeds"
    r"|exceed\w* .{0,30}(?:size|maximum)|(?:message|mail) size limit"
)
_SENDER_REJECTED = (
    r"sender (?:address )?(?:was )?(?:rejected|denied|refused|not allowed)|relay(?:ing)? (?:access )?(?:is )?denied"
    r"|not permitted to relay|authentication (?:is )?required|spamhaus|blacklist|blocklist|\b(?:dmarc|dkim|spf)\b"
)
#: Zoho's, Amazon SES's: 5yz with codes that name no policy.
_SENDING_STOPPED = (
    r"unusual sending activity|sending (?:is |has been |was )?(?:suspended|paused|disabled|blocked)"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    verdict: Verdict
    phases: frozenset[Phase]
    #: The reply's code; "." is any digit.
    code: str
    #: RFC 3463's code, with the reply's first digit; empty text if the server gives none. None: whatever it is.
    status: str | None = None
    words: str | None = None

    def applies(self, phase: Phase, code: str, status: str, text: str) -> bool:
        return (
            phase in self.phases
            and re.fullmatch(self.code, code) is not None
            and (self.status is None or re.fullmatch(self.status, status) is not None)
            and (self.words is None or re.search(self.words, text, re.IGNORECASE) is not None)
        )


_TABLE = (
    # A second copy under an idempotency key: the first is the provider's, so that it was not refused.
    _Rule(Verdict.DOUBT, frozenset({Phase.DOT}), "[45]..", words="idempoten"),
    # Whoever the recipient, and before anything was sent.
    _Rule(
        Verdict.ACCOUNT, frozenset({Phase.AUTH}), "4..", r"4\.7\.12"
    ),  # RFC 4954 6: password needs a transition
    _Rule(Verdict.TEMPORARY, _RECIPIENT_KNOWN, "4..", words=_GREYLISTED),
    # Gmail, and Microsoft's twin of 5.7.515: SPF, DKIM, DMARC, PTR or TLS is missing. Waiting mends nothing.
    _Rule(Verdict.POLICY, _TRANSACTION, "4..", r"4\.7\.(2[3-7]|29|3[0-2]|40|515)"),
    _Rule(Verdict.SLOW_DOWN, _ANY, "4..", r"4\.7\.28"),  # Gmail: unusual rate
    # RFC 3463 3.3: the mailbox's own trouble, as "receiving mail too quickly" (Gmail 4.2.1) and "over quota" (4.2.2).
    _Rule(Verdict.TEMPORARY, _RECIPIENT_KNOWN, "45.", r"4\.2\.\d+"),
    _Rule(Verdict.TEMPORARY, _RECIPIENT_KNOWN, "45.", words=_MAILBOX_FULL),
    # "421 4.7.0" is Gmail's and Yahoo's word for a sender that is too fast; Postfix's for one that made many errors,
    # which a new connection mends.
    _Rule(Verdict.TEMPORARY, _RECIPIENT_KNOWN, "421", words="too many errors"),
    _Rule(Verdict.SLOW_DOWN, _ANY, "421", r"4\.7\.0"),
    # RFC 3463 3.6: too many recipients. Our mails have one each, so that it is a limit over time.
    _Rule(Verdict.SLOW_DOWN, _TRANSACTION, "45.", r"4\.5\.3"),
    _Rule(Verdict.SLOW_DOWN, _ANY, "4..", words=_THROTTLED),
    # 535 and its kin will not get better by trying, only locked; 454 is "not now" (RFC 4954 6).
    _Rule(Verdict.ACCOUNT, frozenset({Phase.AUTH}), "5.."),
    _Rule(Verdict.UNREACHABLE, _GREETING | {Phase.AUTH}, ".*"),
    # The day's or hour's quota of an account is used up: said as if for good, by Gmail (5.4.5), Exchange Online
    # (5.1.90) and hosts that run Exim. Tomorrow the same mail will leave.
    _Rule(Verdict.SLOW_DOWN, _TRANSACTION, "5..", r"5\.4\.5|5\.1\.90"),
    _Rule(Verdict.SLOW_DOWN, _TRANSACTION, "5..", words=_QUOTA_USED_UP),
    _Rule(Verdict.RECIPIENT, _RECIPIENT_KNOWN, "5..", words=_MAILBOX_FULL_FOR_GOOD),
    # RFC 1870 6, RFC 3463 3.4. 5.2.3 is one mailbox's own limit: it stays its recipient's.
    _Rule(Verdict.TOO_BIG, _TRANSACTION, "5..", r"5\.3\.4"),
    _Rule(Verdict.TOO_BIG, _TRANSACTION, "5..", words="SendSizeLimit"),  # Exchange: the sender's own 5.2.3
    _Rule(Verdict.TOO_BIG, _TRANSACTION, "5..", r"(?!5\.2\.).*", words=_TOO_LARGE),
    _Rule(Verdict.TOO_BIG, frozenset({Phase.MAIL}), "552"),
    # MAIL speaks of the sender, whoever the recipient.
    _Rule(Verdict.ACCOUNT, frozenset({Phase.MAIL}), "5.."),
    _Rule(Verdict.UNREACHABLE, frozenset({Phase.MAIL}), ".*"),
    # RFC 3463 3.8, and 3.2's two about the sender, which Postfix says in answer to RCPT.
    _Rule(Verdict.POLICY, _RECIPIENT_KNOWN, "5..", r"5\.7\.\d+|5\.1\.[78]"),
    _Rule(Verdict.POLICY, _RECIPIENT_KNOWN, "5..", words=_SENDING_STOPPED),
    _Rule(Verdict.POLICY, _RECIPIENT_KNOWN, "53[0458]"),  # RFC 4954 6, RFC 3207 4: log in or encrypt first
    _Rule(Verdict.POLICY, _RECIPIENT_KNOWN, "5..", r"(5\.0\.0)?", words=_SENDER_REJECTED),
    # "Unknown command" and "bad sequence" are about the dialogue, not about the recipient.
    _Rule(Verdict.TEMPORARY, frozenset({Phase.RCPT, Phase.DATA}), "50[023]"),
    _Rule(Verdict.RECIPIENT, _RECIPIENT_KNOWN, "5.."),
    _Rule(Verdict.TEMPORARY, _RECIPIENT_KNOWN, "4.."),
    # Neither yes nor no. Before the body nothing can have been sent; after it, anything.
    _Rule(Verdict.TEMPORARY, frozenset({Phase.RCPT, Phase.DATA}), ".*"),
    _Rule(Verdict.DOUBT, frozenset({Phase.DOT}), ".*"),
)


def meaning(phase: Phase, code: int, reply: bytes) -> Outcome:
    """Return what is known after a reply that is not the one hoped for, or after any reply to the dot.

    ``code`` is -1 for what is no reply of SMTP's. The first digit decides (RFC 5321 4.2.1), then RFC 3463's code, then
    words.
    """
    text = as_text(code, reply)
    if phase is Phase.DOT and 200 <= code < 300:
        return Outcome(Verdict.ACCEPTED, text)
    digits = str(code) if 200 <= code < 600 else ""
    status = _status(digits, text)
    verdict = next(rule.verdict for rule in _TABLE if rule.applies(phase, digits, status, text))
    gone = verdict is Verdict.RECIPIENT and says_no_such_mailbox(text)
    may_mean_recipient = verdict is Verdict.SLOW_DOWN and phase in _RECIPIENT_KNOWN
    return Outcome(verdict, text, no_such_mailbox=gone, may_mean_recipient=may_mean_recipient)


def _status(digits: str, text: str) -> str:
    found = _STATUS.search(text)
    return f"{digits[:1]}.{found['subject']}.{int(found['detail'])}" if found else ""


def as_text(code: int, reply: bytes) -> str:
    """Return a reply as one line for people."""
    words = reply.decode("utf-8", "replace").replace("\n", " ")
    if code < 0:
        return words[:1000].strip() or _("The server gave an empty answer.")
    return f"{code} {words}"[:1000].strip()


def describe(error: Exception) -> str:
    """Return a fault of the connection as one line for people: the server's words, else the system's."""
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        return as_text(error.smtp_code, reply if isinstance(reply, bytes) else str(reply).encode())
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words)[:1000]
