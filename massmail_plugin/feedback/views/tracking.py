"""Clicks and opens. Counting is a by-product: the visitor gets the page or the picture whatever happens to it."""

from __future__ import annotations

import base64
import logging
from urllib.parse import urlsplit

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from massmail_plugin import preferences, tokens
from massmail_plugin.feedback import events, evidence
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.feedback.views.public import public, test_mail_page, unknown_link_page
from massmail_plugin.mailings.models import Delivery, TrackedLink

logger = logging.getLogger("massmail_plugin.feedback")

# One transparent pixel, GIF89a.
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@public
@require_safe
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Lead to the stored destination of a link in a mail, and to nowhere else."""
    try:
        delivery_id, number = tokens.read(tokens.Purpose.CLICK, token, count=2)
    except tokens.BadToken:
        return _unknown(request)
    if delivery_id == 0:
        return test_mail_page(request)
    link = TrackedLink.objects.filter(run__deliveries=delivery_id, number=number).first()
    if link is None or not _is_web_address(link.url):
        return _unknown(request)
    _count(request, delivery_id, DeliveryEvent.Kind.CLICKED, link)
    return HttpResponseRedirect(link.url)


@public
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """Return the pixel, always; count the open only where the site wants it and a recipient looks."""
    try:
        (delivery_id,) = tokens.read(tokens.Purpose.OPEN, token, count=1)
    except tokens.BadToken:
        delivery_id = 0
    if delivery_id:
        _count(request, delivery_id, DeliveryEvent.Kind.OPENED)
    return HttpResponse(_PIXEL, content_type="image/gif")


def _count(
    request: HttpRequest, delivery_id: int, kind: DeliveryEvent.Kind, link: TrackedLink | None = None
) -> None:
    """Write it down if it may be; a database that cannot write now must not keep the visitor waiting outside."""
    try:
        delivery = Delivery.objects.filter(pk=delivery_id).first()
        if delivery is None:
            return
        if _is_machine(request) or not _is_wanted(request, kind):
            evidence.settle_doubt(delivery, kind, by_a_look=True)
        else:
            events.record(delivery, events.Fact(kind, timezone.now(), link, by_a_look=True))
    except (DatabaseError, InterfaceError) as error:
        logger.warning("An event (%s) could not be stored: %s", kind, type(error).__name__)


def _is_machine(request: HttpRequest) -> bool:
    """Scanners ask with HEAD whether a link is alive; browsers fetch ahead what nobody has clicked yet."""
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    return request.method != "GET" or "prefetch" in purpose.lower()


def _is_wanted(request: HttpRequest, kind: DeliveryEvent.Kind) -> bool:
    """Whether editors want it counted: asked now, so that switching it off also ends it for mails already sent."""
    wanted = preferences.load()
    if kind == DeliveryEvent.Kind.CLICKED:
        return wanted.track_clicks
    return wanted.track_opens and not getattr(getattr(request, "user", None), "is_staff", False)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _unknown(request: HttpRequest) -> HttpResponse:
    text = _(
        "Perhaps it was cut when it was copied. Open it from the mail again, or visit the sender's website."
    )
    return unknown_link_page(request, text)
