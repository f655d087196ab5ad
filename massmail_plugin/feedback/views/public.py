"""What all public pages have in common: headers, and a few plain sentences for links that lead nowhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from massmail_plugin import preferences
from massmail_plugin.feedback.request_size import is_longer
from massmail_plugin.feedback.views.outage import AWAY, outage_page

PublicView = Callable[..., HttpResponse]

#: Bytes that a request to a public page may send; ours send a few hundred.
MAX_BODY = 100_000

_HEADERS = {
    # The address of the page is the permission to act: it must not be handed on to other sites.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'",
}


def public(view: PublicView) -> PublicView:
    """Make a view open to everybody, uncached, unframed and unindexed.

    It is exempt from Django's CSRF check, which guards the power that a cookie gives. Here cookies give none:
    the token in the address is the whole authority, another site cannot know it, and who knows it needs no
    victim's browser. The check would only lock out mail programs, which send no cookies (RFC 8058 3.1).
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_longer(request, MAX_BODY):
            return finish(HttpResponse(status=413))
        try:
            return finish(view(request, *args, **kwargs))
        except AWAY as error:
            return finish(outage_page(request, error))

    # A transaction around the whole request would begin before anything here could say that there is no database.
    return csrf_exempt(login_not_required(transaction.non_atomic_requests(wrapped)))


def finish(response: HttpResponse) -> HttpResponse:
    """Add the headers that the view has not set itself."""
    for name, value in _HEADERS.items():
        response.setdefault(name, value)
    add_never_cache_headers(response)
    return response


def page(request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Return one of our pages; ``name`` is the template's, without folder and ending."""
    context = {"postal_address": preferences.load().postal_address, **context}
    return render(request, f"massmail_plugin/feedback/{name}.html", context, status=status)


def masked(address: str) -> str:
    """Return the address so that its owner knows it and a passer-by does not: an•••@example.com."""
    local, _at, domain = address.rpartition("@")
    return f"{local[: 2 if len(local) > 3 else 1]}•••@{domain}"


def proof_of(request: HttpRequest) -> dict[str, Any]:
    """Return where a request came from, to prove later what was said."""
    return {
        "ip": request.META.get("REMOTE_ADDR", ""),
        "user_agent": request.headers.get("User-Agent", "").replace("\x00", "")[:300],
    }


def test_mail_page(request: HttpRequest) -> HttpResponse:
    """Say that nothing happens: the link is one of a test mail."""
    text = _("Its links are switched off, so nothing has changed. In the real mail this link works.")
    return page(request, "message", {"title": _("This was a test mail"), "text": text})


def erased_page(request: HttpRequest) -> HttpResponse:
    """Say that there is nothing left to be changed."""
    text = _("Your data has been erased here, and nothing is mailed to your address.")
    return page(request, "message", {"title": _("You get no mail from us any more"), "text": text})


def unknown_link_page(request: HttpRequest, text: str) -> HttpResponse:
    """Say that the link leads nowhere, and in ``text`` what to do instead."""
    return page(request, "message", {"title": _("This link does not work"), "text": text}, status=404)
