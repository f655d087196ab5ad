"""Send: one page that says what will happen, and asks once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.admin_url_finder import AdminURLFinder

from massmail_plugin.accounts.models import accounts_for
from massmail_plugin.admin import names
from massmail_plugin.admin.mailing_screens import MailingScreen
from massmail_plugin.admin.screens import show_refusal, signed_in
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.summary import Summary
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.mailings import actions, preflight
from massmail_plugin.mailings.forecast_words import moment
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.preflight import Finding, Place
from massmail_plugin.mailings.states import MailingState
from massmail_plugin.mailings.verbs import Refused

#: While the people of long lists are being counted.
_LOOK_AGAIN_SECONDS = 5


class SendView(MailingScreen):
    template_name = "massmail_plugin/admin/send.html"
    permission_required = "send"
    object_permissions = ("send",)
    step = _("Send")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = self.too_late(request) or super().get(request, *args, **kwargs)
        if response.status_code == HTTPStatus.OK and self.check.is_counting:
            response["Refresh"] = str(_LOOK_AGAIN_SECONDS)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # A second press of the button: this page has nothing more to ask.
        if late := self.too_late(request):
            return late
        try:
            released = actions.release(self.object, user=signed_in(request))
        except Refused as refused:
            show_refusal(request, refused.problems)
            return redirect(reverse(f"{names.MAILINGS}:send", args=(self.object.pk,)))
        nudge_tick()
        messages.success(request, done_message(self.object, released))
        return redirect(names.own_page(names.MAILINGS, self.object.pk))

    def too_late(self, request: HttpRequest) -> HttpResponse | None:
        """Lead to the mailing's page if it is not a draft any more."""
        if self.object.state == MailingState.DRAFT:
            return None
        show_refusal(request, [gettext("This mailing has already been sent or scheduled.")])
        return redirect(names.own_page(names.MAILINGS, self.object.pk))

    @cached_property
    def check(self) -> preflight.Preflight:
        return preflight.check(self.object)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mailing: Mailing = self.object
        audience = self.check.audience
        first_leaves = self.check.first_leaves
        return {
            **super().get_context_data(**kwargs),
            "check": self.check,
            "problems": [(problem, self.place_url(problem)) for problem in self.check.problems],
            "warnings": [(warning, self.place_url(warning)) for warning in self.check.warnings],
            "left_out": left_out(audience),
            "accounts": list(accounts_for(mailing.owner_id)),
            "zone": timezone.get_current_timezone_name(),
            "people_url": reverse(f"{names.MAILINGS}:people", args=(mailing.pk,)),
            "preview_url": reverse(f"{names.MAILINGS}:preview", args=(mailing.pk,)),
            "first_leaves": moment(first_leaves) if first_leaves else "",
            "button_label": button_label(mailing, audience.included, at_once=first_leaves is None),
        }

    def place_url(self, finding: Finding) -> str:
        """Return where the user can mend it; empty if they may not."""
        mailing: Mailing = self.object
        finder = AdminURLFinder(self.request.user)
        if finding.place is Place.ACCOUNTS:
            return reverse(f"{names.ACCOUNTS}:index")
        if finding.place is Place.PREFERENCES:
            return preferences_url(self.request)
        target: Any = {
            Place.MAILING: mailing,
            Place.CAMPAIGN: mailing.campaign,
            Place.TEMPLATE: mailing.template,
        }[finding.place]
        return (finder.get_edit_url(target) if target else "") or ""


def preferences_url(request: HttpRequest) -> str:
    """Return the address of Settings › Mass mailing; empty if the user may not change it."""
    if not request.user.has_perm("massmail_plugin.change_mailpreferences"):
        return ""
    return reverse("wagtailsettings:edit", args=("massmail_plugin", "mailpreferences"))


def left_out(audience: Summary) -> list[dict[str, Any]]:
    """Return who gets no mail: for each reason its sentence, number, and the first few by name."""
    return [
        {
            "reason": Reason(reason).label,
            "number": number,
            "examples": [] if reason == Reason.NOT_YOURS else audience.examples.get(reason, []),
            "is_nameless": reason == Reason.NOT_YOURS,
        }
        for reason, number in audience.left_out.most_common()
    ]


def button_label(mailing: Mailing, number: int, *, at_once: bool = True) -> str:
    """``at_once``: the first mail leaves as soon as the button is pressed."""
    if mailing.start_at is not None:
        return ngettext("Schedule for %(number)d person", "Schedule for %(number)d people", number) % {
            "number": number
        }
    if not at_once:
        return ngettext("Send to %(number)d person", "Send to %(number)d people", number) % {"number": number}
    return ngettext("Send to %(number)d person now", "Send to %(number)d people now", number) % {
        "number": number
    }


def done_message(mailing: Mailing, released: preflight.Preflight) -> str:
    number = released.audience.included
    if mailing.start_at is not None:
        return gettext("Scheduled. Until it starts you can withdraw it.")
    if released.first_leaves:
        return ngettext(
            "The mail to %(number)d person leaves on %(when)s at the earliest.",
            "The mails to %(number)d people leave on %(when)s at the earliest.",
            number,
        ) % {"number": number, "when": moment(released.first_leaves)}
    return ngettext(
        "The mail to %(number)d person is on its way.",
        "The mails to %(number)d people are on their way.",
        number,
    ) % {"number": number}
