"""Signing up for a public list: the form, "look into your inbox", and the page behind the link in that mail."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from massmail_plugin import tokens
from massmail_plugin.audience.joining import public_list
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.sign_ups import SignUp
from massmail_plugin.feedback import bots, signing_up
from massmail_plugin.feedback.signing_up import SignUpForm
from massmail_plugin.feedback.views.public import page, proof_of, public, unknown_link_page
from massmail_plugin.recipients.models import EmailAddress

#: Forms that one network may send in an hour. Whole companies share one.
_FORMS_AN_HOUR = 30


@public
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest, list_id: int) -> HttpResponse:
    """Show the form of a public list, or take it. The answer is the same for every address."""
    target_list = public_list(list_id)
    if target_list is None:
        return _no_such_list(request)
    with translation.override(target_list.locale.language_code):
        if request.method == "POST":
            return _take(request, target_list)
        return _show_form(request, target_list, SignUpForm())


@public
@require_safe
def sign_up_sent(request: HttpRequest, list_id: int) -> HttpResponse:
    """Say that a mail is on its way."""
    target_list = public_list(list_id)
    if target_list is None:
        return _no_such_list(request)
    with translation.override(target_list.locale.language_code):
        return page(request, "sign_up_sent", {"list": target_list})


@public
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_sign_up(request: HttpRequest, token: str) -> HttpResponse:
    """Ask once more; only the button signs up, because link scanners fetch every page of a mail."""
    try:
        asked = signing_up.sign_up_of(token)
    except tokens.BadToken:
        return unknown_link_page(
            request, _("Perhaps it was cut when it was copied. Open it from the mail again.")
        )
    if asked is None:
        return unknown_link_page(
            request, _("It is too old. Sign up again, and use the link in the new mail.")
        )
    with translation.override(asked.target_list.locale.language_code):
        if asked.confirmed_at is None and (asked.is_too_old or public_list(asked.target_list_id) is None):
            return _too_late(request, asked)
        if request.method == "POST":
            signing_up.confirm(asked, proof_of(request))
            return HttpResponseRedirect(reverse("massmail:confirm_sign_up", args=[token]))
        return _show_confirmation(request, asked)


def _take(request: HttpRequest, target_list: TargetListPage) -> HttpResponse:
    form = SignUpForm(request.POST)
    if request.POST.get("website", "").strip():
        # A bot: it is told what everybody is told.
        return _sent(target_list)
    if not form.is_valid():
        return _show_form(request, target_list, form, status=400)
    if not bots.is_human_pace(form.cleaned_data["stamp"], _name(target_list)):
        return _show_form(request, target_list, form, again=True, status=400)
    network = bots.network_of(request.META.get("REMOTE_ADDR", ""))
    if bots.is_too_often("sign-up", network, _FORMS_AN_HOUR, 60 * 60):
        return _show_form(request, target_list, form, too_often=True, status=429)
    signing_up.ask(target_list, form.cleaned_data["email"], form.cleaned_data["name"], proof_of(request))
    return _sent(target_list)


def _show_form(
    request: HttpRequest,
    target_list: TargetListPage,
    form: SignUpForm,
    *,
    again: bool = False,
    too_often: bool = False,
    status: int = 200,
) -> HttpResponse:
    context = {
        "list": target_list,
        "form": form,
        "stamp": bots.stamp_again(request.POST.get("stamp", ""), _name(target_list)),
        "again": again,
        "too_often": too_often,
    }
    response = page(request, "sign_up", context, status=status)
    # The one page of ours that may be found.
    response.headers["X-Robots-Tag"] = "all"
    return response


def _name(target_list: TargetListPage) -> str:
    return f"sign-up:{target_list.pk}"


def _sent(target_list: TargetListPage) -> HttpResponse:
    return HttpResponseRedirect(reverse("massmail:sign_up_sent", args=[target_list.pk]))


def _show_confirmation(request: HttpRequest, asked: SignUp) -> HttpResponse:
    context: dict[str, Any] = {"list": asked.target_list, "done": asked.confirmed_at is not None}
    address = EmailAddress.objects.filter(key=asked.key).first()
    if asked.confirmed_at and address:
        context["preferences"] = tokens.make(tokens.Purpose.PREFERENCES, 0, address.pk)
    return page(request, "sign_up_confirm", context)


def _too_late(request: HttpRequest, asked: SignUp) -> HttpResponse:
    is_open = public_list(asked.target_list_id) is not None
    return page(request, "sign_up_too_late", {"list": asked.target_list, "is_open": is_open}, status=410)


def _no_such_list(request: HttpRequest) -> HttpResponse:
    text = _("Perhaps nobody can sign up here any more. Visit the sender's website.")
    return unknown_link_page(request, text)
