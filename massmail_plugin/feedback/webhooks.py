"""What providers report: each event is tied to its mail, written down once, and obeyed."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from anymail.signals import EventType, RejectReason
from django.db import InterfaceError, OperationalError
from django.urls import reverse
from django.utils import timezone

from massmail_plugin import preferences
from massmail_plugin.content.headers import clean_header
from massmail_plugin.feedback import events, evidence, opting_out
from massmail_plugin.feedback.bounces import is_hard
from massmail_plugin.feedback.matching import delivery_of, text
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery, TrackedLink
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress

logger = logging.getLogger("massmail_plugin.feedback")

Kind = DeliveryEvent.Kind

_KINDS = {
    EventType.DELIVERED: Kind.DELIVERED,
    EventType.OPENED: Kind.OPENED,
    EventType.CLICKED: Kind.CLICKED,
    EventType.REJECTED: Kind.REJECTED,
    # The provider took the mail and could not send it: for the recipient the same as a rejection.
    EventType.FAILED: Kind.REJECTED,
    EventType.COMPLAINED: Kind.COMPLAINED,
    EventType.UNSUBSCRIBED: Kind.OPTED_OUT,
}
# Nothing to write down (a delay is no bounce), but they prove that the provider has the mail.
_ONLY_EVIDENCE = {EventType.QUEUED, EventType.SENT, EventType.DEFERRED}


def receive_tracking_event(sender: Any, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Receive one event of Anymail's ``tracking`` signal.

    Raises only when the database does not answer, so that the provider repeats the batch. Anything else that
    is wrong with one event must not stop the others: Anymail would drop the rest of the batch.
    """
    try:
        _receive(event, esp_name)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # The message of the error may hold the address; its class does not.
        logger.error(
            "A %s event of %s could not be used: %s", event.event_type, esp_name, type(error).__name__
        )


def _receive(event: Any, esp: str) -> None:
    kind = _kind(event)
    if kind is None and event.event_type not in _ONLY_EVIDENCE:
        return
    delivery = delivery_of(event)
    if delivery is None:
        logger.info("Ignored a %s event of %s: no mail of ours", event.event_type, esp)
        return
    _remember_provider_id(delivery, event)
    if kind is None or not _is_wanted(kind, event):
        evidence.settle_doubt(delivery, kind or evidence.Trace.TAKEN, _time(event))
        return
    at = _time(event)
    url = text(event.click_url)[:2000] if kind == Kind.CLICKED else ""
    fact = events.Fact(kind, at or timezone.now(), _link(delivery, url), _detail(event))
    key = events.event_key(esp, delivery.pk, kind, at, url=url, event_id=text(event.event_id))
    events.record(delivery, fact, key, then=lambda: _obey(delivery, fact, esp))


def _kind(event: Any) -> Kind | None:
    """Return what to write down, or None."""
    if event.event_type == EventType.BOUNCED:
        hard = is_hard(event.reject_reason, text(event.mta_response), event.esp_event)
        return Kind.BOUNCED_HARD if hard else Kind.BOUNCED_SOFT
    if event.event_type == EventType.REJECTED and event.reject_reason == RejectReason.INVALID:
        return Kind.BOUNCED_HARD
    return _KINDS.get(event.event_type)


def _is_wanted(kind: Kind, event: Any) -> bool:
    """Whether opens and clicks may be counted at all, and were not counted by our own links already."""
    if kind == Kind.OPENED:
        return preferences.load().track_opens
    if kind == Kind.CLICKED:
        # A provider that counts clicks wraps our links, too: the same click then reaches our own view.
        return preferences.load().track_clicks and not _is_our_page(text(event.click_url))
    return True


def _is_our_page(url: str) -> bool:
    root = reverse("massmail:click", args=["-"]).removesuffix("c/-/")
    try:
        return url.startswith(preferences.load().base_url) and urlsplit(url).path.startswith(root)
    except ValueError:
        return False


def _remember_provider_id(delivery: Delivery, event: Any) -> None:
    """Keep the provider's name for a mail whose worker could not: later events may come with nothing else."""
    name = text(event.message_id)[:255]
    if name and not delivery.provider_id:
        Delivery.objects.filter(pk=delivery.pk, provider_id="").update(provider_id=name)


def _link(delivery: Delivery, url: str) -> TrackedLink | None:
    return (
        TrackedLink.objects.filter(run=delivery.run_id, url=url).order_by("number").first() if url else None
    )


def _time(event: Any) -> datetime | None:
    """Return when it happened; never in the future, whatever the provider's clock says."""
    at = event.timestamp
    if not isinstance(at, datetime):
        return None
    return min(timezone.make_aware(at) if timezone.is_naive(at) else at, timezone.now())


def _detail(event: Any) -> str:
    words = text(event.mta_response) or text(event.description)
    return words or text(event.reject_reason)


def _obey(delivery: Delivery, fact: events.Fact, esp: str) -> None:
    """Do what the event asks for, unless a later word of the person or of a colleague says otherwise."""
    address = delivery.address
    assert address is not None
    proof = {"delivery": delivery.pk, "provider": esp, "at": fact.at.isoformat()}
    reason = clean_header(fact.detail, 500)
    how = consent.How(ConsentEvent.Method.PROVIDER, reason=reason, proof=proof)
    if fact.kind == Kind.BOUNCED_HARD and not _said_since(address, ConsentEvent.Kind.VALID, fact.at):
        consent.mark_invalid(address, how)
    elif fact.kind == Kind.COMPLAINED:
        consent.record_complaint(address, how)
    elif fact.kind == Kind.OPTED_OUT:
        _opt_out(delivery, address, how, fact.at)


def _opt_out(delivery: Delivery, address: EmailAddress, how: consent.How, at: datetime) -> None:
    """Opt out of what the link in the same mail opts out of.

    The provider's unsubscribe (its own footer, or its handling of List-Unsubscribe) is an answer to this mail
    and means what our own link means. Somebody who wants no mail at all can say so on our page.
    """
    for scope in opting_out.scopes_of(delivery):
        if not _said_since(address, ConsentEvent.Kind.OPT_IN, at, scope=scope.key):
            consent.opt_out(address, [scope], how)


def _said_since(address: EmailAddress, kind: ConsentEvent.Kind, at: datetime, **filters: str) -> bool:
    return ConsentEvent.objects.filter(address=address, kind=kind, at__gt=at, **filters).exists()
