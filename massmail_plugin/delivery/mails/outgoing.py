"""One mail to one recipient, ready to leave: as bytes for SMTP, as Django's message for other backends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formataddr, formatdate
from functools import cached_property, lru_cache

from django.core.mail import EmailMultiAlternatives

from massmail_plugin.content.compiled import RenderedMail
from massmail_plugin.content.header_lines import mailbox_line, text_line, value_line
from massmail_plugin.content.headers import clean_header

# "=_" stands nowhere in quoted-printable (RFC 2045 6.7): no part can hold this.
_BOUNDARY = "=_alternative_="
_PART = (
    f"--{_BOUNDARY}\r\n"
    'Content-Type: text/%s; charset="utf-8"\r\n'
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
)
_BEGINNING = (
    f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n\r\n{_PART % "plain"}'
).encode("ascii")
_MIDDLE = f"\r\n{_PART % 'html'}".encode("ascii")
_END = f"\r\n--{_BOUNDARY}--\r\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whom a header names."""

    address: str
    #: One clean line; may be empty.
    name: str = ""

    def __str__(self) -> str:
        # A local part that is not ASCII is the backend's business: some providers take it.
        return formataddr((self.name, self.address)) if self.address.isascii() else self.address


@dataclass(frozen=True)
class OutgoingMail:
    """Addresses are as the envelope has them: the domain in ASCII."""

    sender: Mailbox
    recipient: Mailbox
    reply_to: str
    subject: str
    rendered: RenderedMail
    #: All headers but From, To, Reply-To, Subject and Date, in plain ASCII.
    headers: Mapping[str, str]
    #: What most providers hand back in their webhooks.
    metadata: Mapping[str, str]
    #: Mails with the same number may share a call to a provider, if that can be; 0: this one goes alone.
    batch: int = 0

    @property
    def envelope_sender(self) -> str:
        return self.sender.address

    @property
    def envelope_recipient(self) -> str:
        return self.recipient.address

    def as_bytes(self, *, utf8: bool = False) -> bytes:
        """Return the whole mail, dated now, as SMTP's DATA takes it: ASCII, each line ended by CRLF, and none
        begins with a dot.

        ``utf8``: for a server that takes addresses beyond ASCII as they are. Raises ``ValueError`` for an address that
        cannot be written.
        """
        return b"".join(
            [
                value_line("Date", _date(int(time.time()))),
                _account_line("From", self.sender.name, self.sender.address, utf8=utf8),
                mailbox_line("To", self.recipient.name, self.recipient.address, utf8=utf8),
                _account_line("Reply-To", "", self.reply_to) if self.reply_to else b"",
                text_line("Subject", self.subject),
                *[value_line(name, value) for name, value in self.headers.items()],
                _BEGINNING,
                self.rendered.text_part.encoded(),
                _MIDDLE,
                self.rendered.html_part.encoded(),
                _END,
            ]
        )

    @cached_property
    def message(self) -> EmailMultiAlternatives:
        """The same mail for a Django or Anymail backend, dated when first asked for."""
        message = EmailMultiAlternatives(
            subject=clean_header(self.subject),
            body=self.rendered.text,
            from_email=str(self.sender),
            to=[str(self.recipient)],
            reply_to=[self.reply_to] if self.reply_to else None,
            headers={"Date": _date(int(time.time())), **self.headers},
        )
        message.attach_alternative(self.rendered.html, "text/html")
        # Backends that do not know it ignore it.
        message.metadata = dict(self.metadata)  # type: ignore[attr-defined]
        return message


#: The same for all mails of an account.
_account_line = lru_cache(maxsize=32)(mailbox_line)


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, localtime=True)
