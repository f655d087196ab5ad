"""What a visitor is told while the database is away."""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

logger = logging.getLogger("massmail_plugin.feedback")

#: What a database raises that is away, locked or just coming back.
AWAY = (OperationalError, InterfaceError)

#: Seconds after which mail programs, scanners and people may ask again.
RETRY_AFTER = 60


def outage_page(request: HttpRequest, error: Exception) -> HttpResponse:
    """Say that nothing was done and that it works again soon. Asks no database, and no template that could."""
    logger.warning("A public page could not be shown: the database is away (%s)", type(error).__name__)
    context = {
        "title": _("This page is not available just now"),
        "text": _(
            "Nothing was changed. Please try the same link again in a few minutes: it goes on working."
        ),
    }
    text, kind = f"{context['title']}. {context['text']}", "text/plain"
    try:
        # Without the request: what a project adds to every page may ask the database.
        text, kind = str(render_to_string("massmail_plugin/feedback/message.html", context)), "text/html"
    except Exception:
        # So may a project's own frame around it.
        logger.debug("The page's frame cannot be shown either", exc_info=True)
    headers = {"Retry-After": str(RETRY_AFTER)}
    return HttpResponse(text, status=503, content_type=f"{kind}; charset=utf-8", headers=headers)
