"""Makes a mail a second time, for the browser, by the same way as it was made for sending."""

from __future__ import annotations

import logging
from email.utils import parseaddr

from django.conf import settings
from django.db.models import Model
from django.urls import reverse

from massmail_plugin import preferences, recipients, tokens
from massmail_plugin.accounts.models import SenderAccount, accounts_for
from massmail_plugin.delivery.mails.messages import Composer, compose_delivery
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients.addresses import key_of

logger = logging.getLogger("massmail_plugin.feedback")


class NoWebCopy(Exception):
    """The mail cannot be made again: its record is gone, or belongs to another address now."""


def html_of(delivery: Delivery | None) -> str:
    """Return the HTML of a mail that was sent, without its tracking pixel. Raises :class:`NoWebCopy`."""
    if delivery is None or delivery.address is None:
        raise NoWebCopy
    recipient_type = recipients.get(delivery.recipient_type)
    if recipient_type is None:
        raise NoWebCopy
    record = recipient_type.load([delivery.object_id]).get(delivery.object_id)
    if record is None or not _is_theirs(recipient_type, record, delivery):
        raise NoWebCopy
    composer = Composer.for_run(delivery.run, preferences.load().base_url)
    try:
        mail = compose_delivery(composer, _account(delivery), delivery, recipient_type.merge_values(record))
    except Exception as error:
        # The host's own properties run here and may raise anything; the public page must not break with them.
        logger.exception("Delivery %s could not be made again", delivery.pk)
        raise NoWebCopy from error
    return mail.rendered.html.replace(_open_url(delivery), "data:,")


def _is_theirs(recipient_type: recipients.RecipientType, record: Model, delivery: Delivery) -> bool:
    """Whether the record still has the address of the mail: else its new owner's data would be shown to the old one."""
    return (
        delivery.address is not None and key_of(recipient_type.record_email(record)) == delivery.address.key
    )


def _account(delivery: Delivery) -> SenderAccount:
    """Return the account for the sender's name in the text; any that fits, the mail does not leave again."""
    account = delivery.account or accounts_for(delivery.run.mailing.owner_id).first()
    if account is not None:
        return account
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return SenderAccount(from_name=name, from_email=address)


def _open_url(delivery: Delivery) -> str:
    token = tokens.make(tokens.Purpose.OPEN, delivery.pk)
    return preferences.load().base_url + reverse("massmail:open", args=[token])
