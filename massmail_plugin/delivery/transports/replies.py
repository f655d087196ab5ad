"""What the replies of a mail server say about a mail."""

from __future__ import annotations

import re
import smtplib

from massmail_plugin.delivery.transports.base import Outcome, Verdict

#: Replies 5yz to RCPT or to the message that mostly speak about us and not about the recipient: RFC 3463 x.7.z,
#: as Gmail and Outlook use it (5.7.1, 5.7.26, 5.7.515...).
_POLICY = re.compile(r"\b5\.7\.\d{1,3}\b")


def refusal(code: int, reply: bytes) -> Outcome:
    """Return what a reply means that is not the one hoped for."""
    text = as_text(code, reply)
    if 400 <= code < 500:
        return Outcome(Verdict.TEMPORARY, text)
    if code < 0:
        return Outcome(Verdict.UNREACHABLE, text)
    return Outcome(Verdict.POLICY if _POLICY.search(text) else Verdict.RECIPIENT, text)


def as_text(code: int, reply: bytes) -> str:
    """Return a reply as one line for people."""
    words = reply.decode("utf-8", "replace").replace("\n", " ")
    return f"{code} {words}"[:1000]


def describe(error: Exception) -> str:
    """Return a fault of the connection as one line for people: the server's words, else the system's."""
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        return as_text(error.smtp_code, reply if isinstance(reply, bytes) else str(reply).encode())
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words)[:1000]
