"""The recipient's own mail again, in the browser."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from massmail_plugin import tokens
from massmail_plugin.feedback.evidence import Trace, settle_doubt_by_a_look
from massmail_plugin.feedback.views.public import page, public, test_mail_page, unknown_link_page
from massmail_plugin.feedback.web_copy import NoWebCopy, html_of
from massmail_plugin.mailings.models import Delivery

# An editor's HTML on our own domain: no scripts, no forms, no access to our cookies. Links may be followed.
_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src * data:; "
    "style-src 'unsafe-inline' *; font-src *; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
)


@public
@require_safe
def view_in_browser(request: HttpRequest, token: str) -> HttpResponse:
    """Show the mail as this recipient got it. Looking at it is not counted."""
    try:
        (delivery_id,) = tokens.read(tokens.Purpose.VIEW, token, count=1)
    except tokens.BadToken:
        text = _("Perhaps it was cut when it was copied. Open it from the mail again.")
        return unknown_link_page(request, text)
    if delivery_id == 0:
        return test_mail_page(request)
    deliveries = Delivery.objects.select_related("run__mailing__campaign", "address", "account")
    delivery = deliveries.filter(pk=delivery_id).first()
    # Nobody but the mail itself knows this address.
    settle_doubt_by_a_look(delivery, Trace.WEB_COPY)
    try:
        html = html_of(delivery)
    except NoWebCopy:
        return _gone(request)
    return HttpResponse(html, headers={"Content-Security-Policy": _POLICY})


def _gone(request: HttpRequest) -> HttpResponse:
    text = _("It was made for one person, and the data that it was made from has been removed.")
    return page(
        request, "message", {"title": _("This mail can no longer be shown"), "text": text}, status=410
    )
