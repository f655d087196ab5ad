"""The preference page, reached from every mail."""

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
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress

_Method = ConsentEvent.Method


@public
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show what somebody gets and may get; only a POST changes it (link scanners fetch every page of a mail)."""
    try:
        bearer = opting_out.bearer_of(token, tokens.Purpose.PREFERENCES)
    except opting_out.TestMailLink:
        return test_mail_page(request)
    except opting_out.ErasedPerson:
        return erased_page(request)
    except tokens.BadToken:
        text = _(
            "Nothing has been changed. Perhaps the link was cut when it was copied: open it from the mail again."
        )
        return unknown_link_page(request, text)
    with in_their_language(bearer):
        if request.method == "POST":
            return _act(request, bearer)
        settle_doubt_by_a_look(bearer.delivery, Trace.PREFERENCES)
        return _show(request, bearer)


def _act(request: HttpRequest, bearer: Bearer) -> HttpResponse:
    """Do what was asked for, and show the page anew: reloading must not repeat it."""
    wish = request.POST.get("wish", "save")
    if wish == "undo":
        receipt = _receipt(bearer, request.POST.get("receipt", ""))
        if receipt is None:
            return _show(request, bearer, too_late=True)
        opting_out.undo(bearer, receipt, _how(request, bearer, _Method.UNDO))
        return _redirect(bearer, undone="1")
    how = _how(request, bearer, _Method.PREFERENCES)
    if wish == "everything":
        receipt = opting_out.opt_out(bearer, [Scope()], how)
    else:
        offered, wanted = request.POST.getlist("offered"), request.POST.getlist("wanted")
        receipt = preference_centre.save(bearer, offered, wanted, how)
    if not receipt.scopes and not receipt.joined:
        return _redirect(bearer, saved="1")
    return _redirect(bearer, receipt=receipts.sign(bearer.address, receipt))


def _show(request: HttpRequest, bearer: Bearer, *, too_late: bool = False) -> HttpResponse:
    address = EmailAddress.objects.get(pk=bearer.address.pk)
    signed = request.GET.get("receipt", "")
    receipt = _receipt(bearer, signed) if signed else None
    offered = preference_centre.choices(bearer)
    gets = {choice.scope.key for choice in offered if choice.gets}
    left = [scope for scope in receipt.scopes if scope.key not in gets] if receipt else []
    context: dict[str, Any] = {
        "action": _page_url(bearer),
        "address": masked(address.key),
        "choices": offered,
        "gets_nothing": address.opted_out_since is not None,
        "complained": address.complained_since is not None,
        "receipt": signed if receipt else "",
        "is_saved": "saved" in request.GET,
        "is_undone": "undone" in request.GET,
        "too_late": too_late,
        "goodbyes": goodbyes(left),
    }
    return page(request, "preferences", context)


def _receipt(bearer: Bearer, signed: str) -> Receipt | None:
    known = [choice.scope for choice in preference_centre.choices(bearer)]
    return receipts.read(bearer.address, signed, known)


def _redirect(bearer: Bearer, **parameters: str) -> HttpResponse:
    return HttpResponseRedirect(f"{_page_url(bearer)}?{urlencode(parameters)}")


def _page_url(bearer: Bearer) -> str:
    return reverse("massmail:preferences", args=[bearer.token])


def _how(request: HttpRequest, bearer: Bearer, method: ConsentEvent.Method) -> How:
    delivery = bearer.delivery.pk if bearer.delivery else None
    reason = " ".join(request.POST.get("reason", "").replace("\x00", "").split())
    return How(method, reason=reason[:500], proof={"delivery": delivery, **proof_of(request)})
