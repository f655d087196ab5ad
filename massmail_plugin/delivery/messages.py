"""From a delivery and its record to the mail that leaves: variables, headers, message."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formataddr, formatdate
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from massmail_plugin import conf, tokens
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.compiled import CompiledContent, RenderedMail, Renderer
from massmail_plugin.content.headers import clean_header
from massmail_plugin.delivery.transports.base import OutgoingMail
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing, Run
from massmail_plugin.recipients.addresses import parse_address
from massmail_plugin.tokens import Purpose


@dataclass(frozen=True, slots=True)
class Link:
    """A tracked link of a run: number in the ledger, slug or empty."""

    number: int
    slug: str


class Composer:
    """Makes the mails of one run. Parses the frozen content once; holds nothing about a recipient."""

    def __init__(self, content: CompiledContent, mailing: Mailing, links: list[Link], base_url: str) -> None:
        self._renderer = Renderer(content)
        self._campaign: Campaign = mailing.campaign
        self._links = links
        self._base_url = base_url

    @classmethod
    def for_run(cls, run: Run, base_url: str) -> Composer:
        """Return the composer of a run, from what was frozen at its start."""
        links = [
            Link(number, slug) for number, slug in run.links.order_by("number").values_list("number", "slug")
        ]
        return cls(CompiledContent.from_json(run.content), run.mailing, links, base_url)

    def compose(
        self,
        account: SenderAccount,
        *,
        to: str,
        name: str,
        contact: Mapping[str, Any],
        delivery_id: int,
        address_id: int,
    ) -> OutgoingMail:
        """Return the mail for one recipient. Raises ``RenderFailed``.

        ``delivery_id`` 0 makes a test mail: its links are real in form and do nothing.
        """
        opt_out_url = self._url("opt_out", Purpose.OPT_OUT, delivery_id, address_id)
        rendered = self._renderer.render(self._variables(account, contact, delivery_id, opt_out_url))
        sender = parse_address(account.from_email).envelope
        message = _message(rendered, account, sender=sender, to=to, name=name)
        message.extra_headers |= self._headers(account, delivery_id, address_id)
        return OutgoingMail(envelope_sender=sender, envelope_recipient=to, message=message)

    def _variables(
        self, account: SenderAccount, contact: Mapping[str, Any], delivery_id: int, opt_out_url: str
    ) -> dict[str, Any]:
        clicks = [self._url("click", Purpose.CLICK, delivery_id, link.number) for link in self._links]
        return {
            "contact": contact,
            "unsubscribe_url": opt_out_url,
            "view_url": self._url("view", Purpose.VIEW, delivery_id),
            "open_url": self._url("open", Purpose.OPEN, delivery_id),
            "links": [url for link, url in zip(self._links, clicks, strict=True) if not link.slug],
            "tracking": {link.slug: url for link, url in zip(self._links, clicks, strict=True) if link.slug},
            "sender": {"name": account.from_name, "email": account.from_email},
            "campaign": {"name": self._campaign.name},
        }

    def _headers(self, account: SenderAccount, delivery_id: int, address_id: int) -> dict[str, str]:
        one_click = self._url("one_click", Purpose.OPT_OUT, delivery_id, address_id)
        headers = {
            "Date": formatdate(localtime=True),
            "Message-ID": message_id(account, delivery_id, address_id),
            # RFC 8058 3.1: exactly one https URI, and the POST header once.
            "List-Unsubscribe": f"<{one_click}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            # Asks for no out-of-office answers (Exchange); Precedence does so elsewhere.
            "X-Auto-Response-Suppress": "OOF, AutoReply",
        }
        if self._campaign.kind == Campaign.Kind.NEWSLETTER:
            headers["Precedence"] = "bulk"
            # RFC 2919: an ASCII id on our domain that stays the same for all mailings of the campaign.
            headers["List-Id"] = f"<campaign-{self._campaign.pk}.{account.sending_domain}>"
        return headers

    def _url(self, view: str, purpose: Purpose, *numbers: int) -> str:
        return self._base_url + reverse(f"massmail:{view}", args=[tokens.make(purpose, *numbers)])


def compose_delivery(
    composer: Composer, account: SenderAccount, delivery: Delivery, contact: Mapping[str, Any]
) -> OutgoingMail:
    """Return the mail of one row of the ledger. Raises ``RenderFailed``."""
    mail = composer.compose(
        account,
        to=delivery.envelope,
        name=delivery.name,
        contact=contact,
        delivery_id=delivery.pk,
        address_id=delivery.address_id or 0,
    )
    # Most providers hand metadata back in their webhooks; backends that do not know it ignore the attribute.
    mail.message.metadata = {"massmail_delivery": str(delivery.pk)}  # type: ignore[attr-defined]
    return mail


def message_id(account: SenderAccount, delivery_id: int, address_id: int) -> str:
    """Return the Message-ID of a delivery: the same on every attempt, so that a second copy can be told."""
    secret = f"{conf.secret_keys()[-1]}:{delivery_id}:{address_id}".encode()
    return f"<mm.{delivery_id}.{hashlib.sha256(secret).hexdigest()[:16]}@{account.sending_domain}>"


def _message(
    rendered: RenderedMail, account: SenderAccount, *, sender: str, to: str, name: str
) -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        from_email=formataddr((clean_header(account.from_name), sender)),
        to=[formataddr((clean_header(name, 100), to)) if to.isascii() else to],
        reply_to=[account.reply_to] if account.reply_to else None,
    )
    message.attach_alternative(rendered.html, "text/html")
    return message
