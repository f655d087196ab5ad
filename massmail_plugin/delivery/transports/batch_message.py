"""Several mails of one mailing as one message of Anymail's: what they share once, and each recipient's own values.

What the provider makes of it for one recipient is that person's mail, letter for letter: subject, HTML, text, headers.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from django.core.mail import EmailMultiAlternatives

from massmail_plugin.accounts.batches import BatchSyntax
from massmail_plugin.delivery.mails.outgoing import OutgoingMail


def batch_key(mail: OutgoingMail, syntax: BatchSyntax) -> Hashable | None:
    """Return what mails have in common that may go in one call; None: this one goes alone."""
    if not mail.batch or not mail.envelope_recipient.isascii():
        return None
    if any(syntax.marker in text for text in (mail.subject, mail.rendered.html, mail.rendered.text)):
        return None
    return (
        mail.batch,
        mail.sender,
        mail.reply_to,
        mail.rendered.html_part.part,
        mail.rendered.text_part.part,
        tuple(mail.headers),
    )


def batch_message(mails: Sequence[OutgoingMail], syntax: BatchSyntax) -> EmailMultiAlternatives:
    """Return one message to the recipients of ``mails``, which all have the same :func:`batch_key`."""
    first = mails[0]
    message = EmailMultiAlternatives(
        subject=syntax.place("subject"),
        body=first.rendered.text_part.with_values(_places(first, "text", syntax)),
        from_email=str(first.sender),
        to=[str(mail.recipient) for mail in mails],
        reply_to=[first.reply_to] if first.reply_to else None,
        headers={**first.message.extra_headers, **_shared(first.headers)},
    )
    message.attach_alternative(
        first.rendered.html_part.with_values(_places(first, "html", syntax)), "text/html"
    )
    personal: Any = message
    personal.merge_data = {mail.envelope_recipient: _values(mail) for mail in mails}
    personal.merge_metadata = {mail.envelope_recipient: dict(mail.metadata) for mail in mails}
    personal.merge_headers = {mail.envelope_recipient: _own(mail.headers) for mail in mails}
    for name in _OWN_HEADERS:
        message.extra_headers.pop(name, None)
    return message


#: Headers that differ from mail to mail.
_OWN_HEADERS = ("Message-ID", "List-Unsubscribe")


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name in _OWN_HEADERS}


def _shared(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OWN_HEADERS}


def _places(mail: OutgoingMail, part: str, syntax: BatchSyntax) -> list[str]:
    values = mail.rendered.html_part.values if part == "html" else mail.rendered.text_part.values
    return [syntax.place(f"{part}{number}") for number in range(len(values))]


def _values(mail: OutgoingMail) -> dict[str, str]:
    rendered = mail.rendered
    html = {f"html{number}": value for number, value in enumerate(rendered.html_part.values)}
    text = {f"text{number}": value for number, value in enumerate(rendered.text_part.values)}
    return {"subject": rendered.subject, **html, **text}
