"""What an exception of an e-mail backend proves about the mail, and what it does not."""

from __future__ import annotations

import re
import smtplib
import socket
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3
from anymail.exceptions import (
    AnymailAPIError,
    AnymailCancelSend,
    AnymailConfigurationError,
    AnymailError,
)
from django.utils.translation import gettext as _

from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.transports.replies import Phase, meaning

_NEVER_CONNECTED = (
    requests.exceptions.ConnectTimeout,
    urllib3.exceptions.NewConnectionError,
    ConnectionRefusedError,
    socket.gaierror,
)
#: The same of boto3, which need not be installed, and its words for an account that is not set up.
_NEVER_CONNECTED_NAMES = {"EndpointConnectionError", "ConnectTimeoutError"}
_NO_ACCOUNT_NAMES = {"NoCredentialsError", "PartialCredentialsError", "NoRegionError", "TokenRetrievalError"}

#: RFC 9110 15.5 and 15.6. 503: not now. 408 and 425: the request was not taken. 409: a mail with the same key is on its
#: way. 404, 405, 410: no such API, or (Mailgun) no such domain. 521 to 526: Cloudflare could not reach the provider.
_BY_STATUS = {
    **dict.fromkeys((401, 402, 403, 404, 405, 410), Verdict.ACCOUNT),
    **dict.fromkeys((408, 425), Verdict.TEMPORARY),
    409: Verdict.DOUBT,
    413: Verdict.TOO_BIG,
    429: Verdict.SLOW_DOWN,
    **dict.fromkeys((503, 521, 523, 525, 526), Verdict.UNREACHABLE),
}
#: Amazon SES names the fault; its statuses are mostly 400.
_BY_NAME = (
    (re.compile(r"Throttl|TooManyRequests|LimitExceeded"), Verdict.SLOW_DOWN),
    (re.compile(r"Suspended|Paused|NotVerified"), Verdict.ACCOUNT),
)
#: Other 4xx: mostly this recipient. Whoever these words are about, it is not they; and the whole list would fail.
_OURS = re.compile(
    r"not verified|unverified|sender|\bfrom\b.{0,20}(?:address|domain|field)|api.?key|credit|quota|suspended"
    r"|inactive account|account .{0,30}(?:disabled|blocked|pending|limit)|not allowed to send",
    re.IGNORECASE,
)
_WORDS = ("message", "Message", "error_message", "ErrorMessage", "detail", "title", "error", "name")


def classify(error: Exception) -> Outcome:
    """Say what is known about a mail after its backend raised ``error``."""
    if (refusal := _smtp_refusal(error)) is not None:
        return refusal
    verdict = _verdict(error)
    return Outcome(verdict, describe(error), retry_after=_retry_after(error))


def describe(error: Exception) -> str:
    """Return one line for people."""
    status = _status(error)
    if status:
        name = getattr(error, "esp_name", None) or _("The provider")
        return f"{name}: {status} {_provider_words(error)}"[:1000].strip()
    if isinstance(error, requests.exceptions.Timeout):
        return _("The provider did not answer in time.")
    if isinstance(error, requests.exceptions.ConnectionError):
        return _("The connection to the provider failed.")
    # Anymail's str() holds the request, with personal data; the first line has what people need.
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:1000]


def was_answered(error: Exception) -> bool:
    """Whether the provider answered the call, with whatever."""
    return bool(_status(error))


def says(error: Exception, code: str) -> bool:
    """Whether the provider's answer has this code."""
    answer = _answer(error)
    return bool(code) and isinstance(answer, Mapping) and code in (answer.get("code"), answer.get("name"))


def _verdict(error: Exception) -> Verdict:
    if status := _status(error):
        return _status_verdict(status, _provider_words(error))
    if _is_named(error, _NO_ACCOUNT_NAMES) or isinstance(error, AnymailConfigurationError):
        return Verdict.ACCOUNT
    if _never_connected(error) or _is_named(error, _NEVER_CONNECTED_NAMES) or _in_handshake(error):
        return Verdict.UNREACHABLE
    if isinstance(error, AnymailCancelSend) or (
        isinstance(error, AnymailError) and not isinstance(error, AnymailAPIError)
    ):
        # Anymail found the message unfit before calling the provider.
        return Verdict.RECIPIENT
    return Verdict.DOUBT


def _status_verdict(status: int, words: str) -> Verdict:
    for name, verdict in _BY_NAME:
        if name.match(words):
            return verdict
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:
        return Verdict.POLICY if _OURS.search(words) else Verdict.RECIPIENT
    # 500, 502 and 504 may come after the provider has taken the mail; so does a 200 that Anymail cannot read.
    return Verdict.DOUBT


def _smtp_refusal(error: Exception) -> Outcome | None:
    """Read an exception of ``smtplib``'s, as Django's own backend raises them."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = next(iter(error.recipients.values()), (-1, b""))
        return meaning(Phase.RCPT, code, _as_bytes(reply))
    if not isinstance(error, smtplib.SMTPResponseException):
        return None
    phases = {
        smtplib.SMTPConnectError: Phase.CONNECT,
        smtplib.SMTPHeloError: Phase.EHLO,
        smtplib.SMTPAuthenticationError: Phase.AUTH,
        smtplib.SMTPSenderRefused: Phase.MAIL,
    }
    # SMTPDataError does not say whether it was DATA or the dot: of the dot less is known.
    return meaning(phases.get(type(error), Phase.DOT), error.smtp_code, _as_bytes(error.smtp_error))


def _as_bytes(reply: Any) -> bytes:
    return reply if isinstance(reply, bytes) else str(reply).encode()


def _never_connected(error: BaseException | None) -> bool:
    """Whether the fault came before a byte of the mail could leave: no route, no name, refused.

    An outage must not turn a whole list into doubts. ``requests`` hides the cause two levels deep.
    """
    while error is not None:
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(error, _NEVER_CONNECTED) or isinstance(reason, _NEVER_CONNECTED):
            return True
        error = error.__cause__
    return False


def _in_handshake(error: BaseException | None) -> bool:
    """Whether TLS failed while it was being set up (a bad certificate, no TLS at all), and not after the request.

    Both are the same exception of ``requests``; only where it was raised tells them apart.
    """
    while error is not None:
        if any(frame.name == "do_handshake" for frame in traceback.extract_tb(error.__traceback__)):
            return True
        error = error.__context__
    return False


def _is_named(error: BaseException | None, names: set[str]) -> bool:
    while error is not None:
        if type(error).__name__ in names:
            return True
        error = error.__cause__
    return False


def _status(error: Exception) -> int:
    """Return the HTTP status of the provider's answer; 0 if there was none."""
    if not isinstance(error, AnymailAPIError):
        return 0
    if isinstance(error.response, Mapping):
        # boto3
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return int(error.status_code or 0)


def _answer(error: Exception) -> Any:
    response = getattr(error, "response", None)
    if response is None or isinstance(response, Mapping):
        return response
    try:
        return response.json()
    except (ValueError, AttributeError):
        return None


def _provider_words(error: Exception) -> str:
    """Return what the provider says about the fault, and not what we had sent."""
    answer = _answer(error)
    if isinstance(answer, Mapping) and isinstance(answer.get("Error"), Mapping):
        # boto3
        return f"{answer['Error'].get('Code', '')}: {answer['Error'].get('Message', '')}"
    words = _find_words(answer)
    return words or str(getattr(getattr(error, "response", None), "reason", "") or "")


def _find_words(answer: Any, depth: int = 3) -> str:
    if isinstance(answer, Mapping):
        for key in _WORDS:
            if isinstance(answer.get(key), str) and answer[key]:
                return str(answer[key])
        answer = list(answer.values())
    if isinstance(answer, list) and depth:
        return next(filter(None, (_find_words(part, depth - 1) for part in answer[:20])), "")
    return ""


def _retry_after(error: Exception) -> float | None:
    """Return the seconds of the answer's Retry-After (RFC 9110 10.2.3: a number, or a date)."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("Retry-After", "") if isinstance(headers, Mapping) else ""
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)
