"""From a delivery and its record to the mail that leaves: variables, headers, message."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from massmail_plugin import conf
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.compiled import CompiledContent, Renderer
from massmail_plugin.content.headers import clean_header
from massmail_plugin.delivery.mails.mail_links import MailLinks
from massmail_plugin.delivery.mails.outgoing import Mailbox, OutgoingMail
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing, Run
from massmail_plugin.recipients.addresses import parse_address

#: Up to 18 digits: more may not fit a database's number.
_MESSAGE_ID = re.compile(r"mm\.(?P<delivery>[0-9]{1,18})\.(?P<mac>[0-9a-fA-F]{20})@[^@<>\s]+", re.ASCII)


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
        self._batch: int = mailing.pk if mailing.in_batches else 0
        self._plain_links = [link.number for link in links if not link.slug]
        self._named_links = {link.slug: link.number for link in links if link.slug}
        self._counts_opens = "open_url" in content.html
        self._asks = "preferences_url" in content.html + content.text
        self._links = MailLinks(base_url)

    @classmethod
    def for_run(cls, run: Run, base_url: str) -> Composer:
        """Return the composer of a run, from what was frozen at its start; the last few are kept."""
        # The time too: a number may come back with a restored database.
        return _composer(run.pk, run.started_at, base_url)

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
        opt_out_url, one_click_url = self._links.opt_out(delivery_id, address_id)
        rendered = self._renderer.render(
            {
                "contact": contact,
                "unsubscribe_url": opt_out_url,
                "preferences_url": self._links.preferences(delivery_id, address_id) if self._asks else "",
                "sender": {"name": account.from_name, "email": account.from_email},
                "campaign": {"name": self._campaign.name},
                **self._links_of(delivery_id),
            }
        )
        return OutgoingMail(
            sender=_mailbox(account.from_email, account.from_name),
            recipient=Mailbox(to, clean_header(name, 100)),
            reply_to=_mailbox(account.reply_to, "").address if account.reply_to else "",
            subject=rendered.subject,
            rendered=rendered,
            headers=self._headers(account, delivery_id, one_click_url),
            metadata={"massmail_delivery": str(delivery_id)} if delivery_id else {},
            batch=self._batch if delivery_id else 0,
        )

    def _links_of(self, delivery_id: int) -> dict[str, Any]:
        named = self._links.clicks(delivery_id, self._named_links.values())
        return {
            "view_url": self._links.view(delivery_id),
            "open_url": self._links.open(delivery_id) if self._counts_opens else "",
            "links": self._links.clicks(delivery_id, self._plain_links),
            "tracking": dict(zip(self._named_links, named, strict=True)),
        }

    def _headers(self, account: SenderAccount, delivery_id: int, one_click_url: str) -> dict[str, str]:
        domain = account.sending_domain
        headers = {
            "Message-ID": _message_id(delivery_id, domain),
            # RFC 8058 3.1: exactly one https URI, and the POST header once.
            "List-Unsubscribe": f"<{one_click_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            # Asks for no out-of-office answers (Exchange); Precedence does so elsewhere.
            "X-Auto-Response-Suppress": "OOF, AutoReply",
        }
        if self._campaign.kind == Campaign.Kind.NEWSLETTER:
            headers["Precedence"] = "bulk"
            # RFC 2919: an ASCII id on our domain that stays the same for all mailings of the campaign.
            headers["List-Id"] = f"<campaign-{self._campaign.pk}.{domain}>"
        return headers


@lru_cache(maxsize=32)
def _mailbox(address: str, name: str) -> Mailbox:
    """Return what an account's address is in a header. Raises ``MalformedAddress``."""
    return Mailbox(parse_address(address).envelope, clean_header(name))


@lru_cache(maxsize=8)
def _composer(run_id: int, started_at: dt.datetime, base_url: str) -> Composer:
    run = Run.objects.select_related("mailing__campaign").get(pk=run_id, started_at=started_at)
    links = run.links.order_by("number").values_list("number", "slug")
    content = CompiledContent.from_json(run.content)
    return Composer(content, run.mailing, [Link(number, slug) for number, slug in links], base_url)


def compose_delivery(
    composer: Composer, account: SenderAccount, delivery: Delivery, contact: Mapping[str, Any]
) -> OutgoingMail:
    """Return the mail of one row of the ledger. Raises ``RenderFailed``."""
    return composer.compose(
        account,
        to=delivery.envelope,
        name=delivery.name,
        contact=contact,
        delivery_id=delivery.pk,
        address_id=delivery.address_id or 0,
    )


def delivery_of(message_id: str) -> int | None:
    """Return the number of the delivery that this Message-ID was made for; None if we did not make it."""
    found = _MESSAGE_ID.fullmatch(message_id.strip().removeprefix("<").removesuffix(">"))
    if found is None:
        return None
    expected = _mac(int(found["delivery"]))
    return int(found["delivery"]) if hmac.compare_digest(expected, found["mac"].lower()) else None


def message_id(account: SenderAccount, delivery_id: int) -> str:
    """Return the Message-ID of a delivery: the same on every attempt, so that a second copy can be told."""
    return _message_id(delivery_id, account.sending_domain)


def _message_id(delivery_id: int, domain: str) -> str:
    return f"<mm.{delivery_id}.{_mac(delivery_id)}@{domain}>"


def _mac(delivery_id: int) -> str:
    # With the oldest key, which stays when a new one is put in front.
    mac = _begun(conf.secret_keys()[-1]).copy()
    mac.update(b"%d" % delivery_id)
    return mac.hexdigest()[:20]


@lru_cache(maxsize=1)
def _begun(key: str) -> hmac.HMAC:
    return hmac.new(key.encode(), b"message-id:", hashlib.sha256)
