"""The opt-out page, and the one-click button of mail programs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from massmail_plugin import tokens
from massmail_plugin.audience.joining import goodbyes
from massmail_plugin.feedback import opting_out, preference_centre, receipts
from massmail_plugin.feedback.evidence import Trace, settle_doubt_by_a_look
from massmail_plugin.feedback.opting_out import Bearer
from massmail_plugin.feedback.receipts import Receipt
from massmail_plugin.feedback.their_language import in_their_language
from massmail_plugin.feedback.views.public import (
    erased_page,
    masked,
    page,
    proof_of,
    public,
    test_mail_page,
    unknown_link_page,
)
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent

_Method = ConsentEvent.Method


@public
@require_http_methods(["GET", "HEAD", "POST"])
def opt_out(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the recipient would leave; only a POST leaves it (link scanners fetch every page of a mail)."""
    try:
        bearer = opting_out.bearer_of(token)
    except opting_out.TestMailLink:
        return test_mail_page(request)
    except opting_out.ErasedPerson:
        return erased_page(request)
    except tokens.BadToken:
        return _unknown(request)
    with in_their_language(bearer):
        if request.method == "POST":
            return _act(request, bearer)
        settle_doubt_by_a_look(bearer.delivery, Trace.OPT_OUT_PAGE)
        return _show(request, bearer)


@public
@require_http_methods(["GET", "HEAD", "POST"])
def one_click(request: HttpRequest, token: str) -> HttpResponse:
    """RFC 8058: the mail program posts, with no cookie and no person looking, and wants a plain 200.

    A POST without the pair ``List-Unsubscribe=One-Click`` is not what the RFC describes; the pair is there to
    tell a person's wish from a scanner's try. It gets the page with the button and the status 400, so that
    nobody takes it for done. People who open the address see the same page.
    """
    if request.method != "POST":
        return opt_out(request, token)
    try:
        bearer = opting_out.bearer_of(token)
    except opting_out.TestMailLink:
        return HttpResponse(_("This was a test mail; nothing has changed."), content_type="text/plain")
    except opting_out.ErasedPerson:
        return erased_page(request)
    except tokens.BadToken:
        return _unknown(request)
    if request.POST.get("List-Unsubscribe", "").strip().lower() != "one-click":
        with in_their_language(bearer):
            return _show(request, bearer, status=400)
    opting_out.opt_out(bearer, bearer.scopes, _how(request, bearer, _Method.ONE_CLICK))
    return HttpResponse(_("You have opted out."), content_type="text/plain")


def _act(request: HttpRequest, bearer: Bearer) -> HttpResponse:
    """Do what was asked for, and show the page anew: reloading must not repeat it."""
    wish = request.POST.get("wish", "these")
    if wish == "undo":
        receipt = receipts.read(bearer.address, request.POST.get("receipt", ""), bearer.scopes)
        if receipt is None:
            return _show(request, bearer, too_late=True)
        opting_out.undo(bearer, receipt, _how(request, bearer, _Method.UNDO))
        return _redirect(bearer, undone="1")
    scopes = [Scope()] if wish == "everything" else bearer.scopes
    receipt = opting_out.opt_out(bearer, scopes, _how(request, bearer, _Method.LINK))
    if not receipt.scopes:
        return _redirect(bearer)
    return _redirect(bearer, receipt=receipts.sign(bearer.address, receipt))


def _redirect(bearer: Bearer, **parameters: str) -> HttpResponse:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return HttpResponseRedirect(_page_url(bearer) + query)


def _page_url(bearer: Bearer) -> str:
    """Return the address of the page, also when it is shown in place of the one-click answer."""
    return reverse("massmail:opt_out", args=[bearer.token])


def _show(request: HttpRequest, bearer: Bearer, *, too_late: bool = False, status: int = 200) -> HttpResponse:
    signed = request.GET.get("receipt", "")
    receipt = receipts.read(bearer.address, signed, bearer.scopes) if signed else None
    context = _state(bearer, receipt) | {"receipt": signed, "too_late": too_late, "action": _page_url(bearer)}
    context["preferences"] = preference_centre.link_for(bearer)
    context["goodbyes"] = goodbyes(receipt.scopes) if receipt and context["step"] == "done" else []
    context["is_undone"] = "undone" in request.GET and context["step"] == "ask"
    return page(request, "opt_out", context, status=status)


def _state(bearer: Bearer, receipt: Receipt | None) -> dict[str, Any]:
    """Return what the page says. It is always what holds now, whatever the address in the browser claims."""
    offered, address = bearer.scopes, bearer.address
    remaining = opting_out.still_in(address, offered)
    left = list(receipt.scopes) if receipt else []
    done = bool(left) and not opting_out.still_in(address, left)
    shown = left if done else remaining or offered
    return {
        "step": "done" if done else "ask" if remaining else "already",
        "address": masked(address.key),
        "sender": bearer.delivery.account.from_name if bearer.delivery and bearer.delivery.account else "",
        "lists": [scope.label for scope in shown if scope.label],
        "means_everything": any(not scope.key for scope in shown) or bool(address.opted_out_since),
        "can_stop_everything": not address.opted_out_since,
    }


def _how(request: HttpRequest, bearer: Bearer, method: ConsentEvent.Method) -> How:
    delivery = bearer.delivery.pk if bearer.delivery else None
    return How(method, proof={"delivery": delivery, **proof_of(request)})


def _unknown(request: HttpRequest) -> HttpResponse:
    text = _(
        "Nothing has been changed. Perhaps the link was cut when it was copied: open it from the mail again. "
        "If that does not help, answer the mail and ask to be taken off the list."
    )
    return unknown_link_page(request, text)
