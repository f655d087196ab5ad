"""The buttons of a mailing: each is one POST that calls one verb and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.views.generic.base import BaseOperationView
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin.admin import names
from massmail_plugin.admin.access import ScopedObject
from massmail_plugin.admin.mailing_screens import MailingScreen
from massmail_plugin.admin.screens import show_refusal, signed_in
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import MAILING_MOVES, RUNNING, DeliveryState, MailingState
from massmail_plugin.mailings.verbs import RETRIABLE, Refused


class VerbView(PermissionCheckedMixin, ScopedObject, BaseOperationView):
    """Calls ``verb`` on a mailing; refusals become messages."""

    http_method_names = ["post"]
    model = Mailing
    permission_required = "send"
    object_permissions = ("send",)
    verb: Callable[..., Any] | None = None
    done: Callable[[Any], Any] | None = None
    #: Whether there may be work to do afterwards.
    wakes: bool = False

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        assert self.verb is not None
        assert self.done is not None
        try:
            result = self.verb(self.object, user=signed_in(request))
        except Refused as refused:
            show_refusal(request, refused.problems)
        else:
            messages.success(request, self.done(result))
            if self.wakes:
                nudge_tick()
        return redirect(names.own_page(names.MAILINGS, self.object.pk))


@dataclass(frozen=True, slots=True)
class Button:
    """A button on a mailing's page. ``is_link``: it leads to a page that asks first."""

    name: str
    label: Any
    url: str
    is_link: bool = False
    is_main: bool = False
    is_serious: bool = False


def verb_routes() -> list[URLPattern]:
    """Return the routes of the verbs that need no page of their own."""
    return [
        _route("withdraw", actions.withdraw, lambda _result: gettext("The mailing is a draft again.")),
        _route(
            "pause",
            actions.pause,
            lambda _result: gettext("Paused. What is just being handed over still leaves."),
        ),
        _route("resume", actions.resume, lambda _result: gettext("The mailing goes on."), wakes=True),
        _route("retry", actions.retry_failed, _queued_again, wakes=True),
    ]


def _route(
    name: str, verb: Callable[..., Any], done: Callable[[Any], Any], *, wakes: bool = False
) -> URLPattern:
    return path(f"{name}/<int:pk>/", VerbView.as_view(verb=verb, done=done, wakes=wakes), name=name)


def _cancelled(number: int) -> str:
    if not number:
        # A draft, for example, which waits for nobody's mails yet.
        return gettext("Cancelled. It had no mails to send.")
    message = ngettext(
        "Cancelled. %(number)d mail will not be sent.",
        "Cancelled. %(number)d mails will not be sent.",
        number,
    )
    return message % {"number": number}


def _queued_again(number: int) -> str:
    message = ngettext("%(number)d mail is queued again.", "%(number)d mails are queued again.", number)
    return message % {"number": number}


def buttons_for(mailing: Mailing, policy: Any, user: Any, *, failed: int) -> list[Button]:
    """Return what ``user`` may do with ``mailing`` in its state, the main thing first."""
    may_send = policy.user_has_permission_for_instance(user, "send", mailing)
    buttons: list[Button] = []
    if may_send:
        buttons += _verbs(mailing, failed)
    if policy.user_has_permission_for_instance(user, "send_test", mailing) and mailing.template_id:
        buttons.append(_button(mailing, "send_test", _("Send test"), is_link=True))
    if may_send and MailingState.CANCELLED in MAILING_MOVES[MailingState(mailing.state)]:
        buttons.append(_button(mailing, "cancel", _("Cancel mailing"), is_link=True, is_serious=True))
    return buttons


def _verbs(mailing: Mailing, failed: int) -> list[Button]:
    state = mailing.state
    if state == MailingState.DRAFT:
        return [_button(mailing, "send", _("Send…"), is_link=True, is_main=True)]
    if state == MailingState.PENDING:
        return [_button(mailing, "withdraw", _("Withdraw"), is_main=True)]
    found: list[Button] = []
    if state in RUNNING:
        found.append(_button(mailing, "pause", _("Pause"), is_main=True))
    if state in (MailingState.PAUSED, MailingState.INTERRUPTED):
        found.append(_button(mailing, "resume", _("Resume"), is_main=True))
    if failed and state in RETRIABLE:
        found.append(_button(mailing, "retry", _("Retry failed")))
    return found


def _button(mailing: Mailing, name: str, label: Any, **options: bool) -> Button:
    return Button(name, label, reverse(f"{names.MAILINGS}:{name}", args=(mailing.pk,)), **options)


class CancelView(MailingScreen):
    """Asks once, because a cancelled mailing cannot go on."""

    template_name = "massmail_plugin/admin/mailing_cancel.html"
    permission_required = "send"
    object_permissions = ("send",)
    step = _("Cancel")

    @cached_property
    def waiting(self) -> int:
        return self.progress.states[DeliveryState.QUEUED] + self.progress.states[DeliveryState.DEFERRED]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "waiting": self.waiting, "progress": self.progress}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            stopped = actions.cancel(self.object, user=signed_in(request))
        except Refused as refused:
            show_refusal(request, refused.problems)
        else:
            messages.success(request, _cancelled(stopped))
        return redirect(names.own_page(names.MAILINGS, self.object.pk))
