"""What one mail becomes on the wire, for what one server can take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from massmail_plugin.delivery.transports.base import Outcome, Verdict

#: Could end a command, whatever made such an address.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Unsendable(Exception):
    """This mail cannot go to this server; ``outcome`` says why. Nothing was sent."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Transaction:
    """The commands and the message, without the last dot."""

    mail: bytes
    rcpt: bytes
    data: bytes


def transaction(sender: str, recipient: str, message: bytes, offers: Mapping[str, str]) -> Transaction:
    """Return what to write. Raises :class:`Unsendable`.

    ``message`` is as ``OutgoingMail.as_bytes`` makes it: each line ended by CRLF (RFC 5321 2.3.8), and none begins with
    a dot (4.5.2), so that nothing in it can end it. ``offers`` is the server's EHLO: keywords in lower case.
    """
    if _CONTROL.search(sender) or _CONTROL.search(recipient):
        raise Unsendable(Outcome(Verdict.RECIPIENT, _("The address has signs that no address may have.")))
    parameters = ""
    if not (sender + recipient).isascii():
        _require_utf8(sender, offers)
        parameters += " SMTPUTF8"
    if not message.isascii():
        # RFC 6152 1: without the server's word, eighth bits may be cut off or change the mail.
        if "8bitmime" not in offers:
            raise Unsendable(Outcome(Verdict.RECIPIENT, _("The server takes mails in plain ASCII only.")))
        parameters += " BODY=8BITMIME"
    if "size" in offers:
        _require_room(len(message), offers["size"])
        parameters += f" SIZE={len(message)}"
    return Transaction(
        f"MAIL FROM:<{sender}>{parameters}\r\n".encode(),
        f"RCPT TO:<{recipient}>\r\n".encode(),
        message,
    )


def _require_utf8(sender: str, offers: Mapping[str, str]) -> None:
    # RFC 6531 3.1: who offers SMTPUTF8 must offer 8BITMIME; who does not has it only half.
    if "smtputf8" in offers and "8bitmime" in offers:
        return
    if not sender.isascii():
        text = _("The server cannot send from an address with such letters before the @.")
        raise Unsendable(Outcome(Verdict.ACCOUNT, text))
    text = _("The part of the address before the @ has letters that cannot be mailed to.")
    raise Unsendable(Outcome(Verdict.RECIPIENT, text))


def _require_room(size: int, offered: str) -> None:
    # RFC 1870 4: no number, or 0, is no limit.
    limit = int(offered) if offered.isascii() and offered.isdigit() and len(offered) < 19 else 0
    if 0 < limit < size:
        text = _("The mail has %(size)s; the server takes %(limit)s at most.")
        sizes = {"size": filesizeformat(size), "limit": filesizeformat(limit)}
        raise Unsendable(Outcome(Verdict.TOO_BIG, text % sizes))
