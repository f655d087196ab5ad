"""What a person in the admin may say for the owner of an address. A reason is asked for, and kept."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages

from massmail_plugin.admin import names
from massmail_plugin.admin.address_page import opt_outs
from massmail_plugin.admin.screens import Step, signed_in
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        help_text=_(
            "For example: “Asked for it on the phone on 3 May.” It is kept with your name and the time."
        ),
    )


def spoken_for(request: HttpRequest, reason: str) -> How:
    """Return that the user says something for somebody, and why."""
    return How(ConsentEvent.Method.OPERATOR, reason=reason, actor=signed_in(request))


class ConsentView(Step):
    """Asks for the reason, then records it. Nothing more can be said for somebody who was erased."""

    template_name = "massmail_plugin/admin/consent.html"
    model = EmailAddress
    screens = names.ADDRESSES
    permission_required = "change"
    object_permissions = ("change",)
    header_icon = "user"
    explanation: Any = ""
    done: Any = ""
    #: Whether it cannot be taken back.
    is_final = False

    def get_object(self, *args: Any, **kwargs: Any) -> EmailAddress:
        address: EmailAddress = super().get_object(*args, **kwargs)
        if address.erased_since:
            raise Http404
        return address

    def say(self, how: How) -> None:
        """Record it."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", ReasonForm())
        context = super().get_context_data(**kwargs)
        return {
            **context,
            "explanation": self.explanation,
            "step": self.step,
            "is_final": self.is_final,
            "back_url": self.back_url,
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        self.say(spoken_for(request, form.cleaned_data["reason"]))
        messages.success(request, str(self.done))
        return redirect(self.back_url)


class OptOut(ConsentView):
    step = _("Opt out")
    explanation = _("Nothing is mailed to this address any more, under any record and from any list.")
    done = _("Opted out of all mailings.")

    def say(self, how: How) -> None:
        consent.opt_out(self.object, [Scope()], how)


class OptIn(ConsentView):
    """Takes back the opt-out that ``?scope=`` names."""

    step = _("Take the opt-out back")
    done = _("The opt-out is taken back.")

    @cached_property
    def opt_out(self) -> dict[str, Any]:
        scope = self.request.GET.get("scope", "")
        for known in opt_outs(self.object):
            if known["scope"] == scope and known["url"]:
                return known
        raise Http404

    @property
    def explanation(self) -> str:
        return gettext(
            "%(address)s gets these mails again: %(what)s. Do this only if the person has asked for it."
        ) % {"address": self.object, "what": self.opt_out["label"]}

    def say(self, how: How) -> None:
        consent.opt_in(self.object, [Scope(self.opt_out["scope"], self._list_label())], how)

    def _list_label(self) -> str:
        return str(self.opt_out["label"]) if self.opt_out["scope"] else ""


class MarkValid(ConsentView):
    step = _("Mark as valid again")
    explanation = _(
        "Mails go to this address again, unless its owner has opted out. "
        "Do this only if you know that the mailbox works."
    )
    done = _("The address is valid again.")

    def say(self, how: How) -> None:
        consent.mark_valid(self.object, how)
