"""URL namespaces of our screens, and addresses that several of them link to."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

CAMPAIGNS = "massmail_campaigns"
MAILINGS = "massmail_mailings"
SEGMENTS = "massmail_segments"
SUBSCRIBERS = "massmail_subscribers"
ACCOUNTS = "massmail_accounts"
ADDRESSES = "massmail_addresses"
SENDING = "massmail_sending"


def own_page(namespace: str, pk: int) -> str:
    """Return the address of an object's own page."""
    return reverse(f"{namespace}:inspect", args=(pk,))


def delivery_log(campaign_id: int, **filters: Any) -> str:
    """Return the address of a campaign's log, filtered, for example by ``mailing`` and ``state``."""
    url = reverse(f"{CAMPAIGNS}:log", args=(campaign_id,))
    return f"{url}?{urlencode(filters, doseq=True)}" if filters else url
