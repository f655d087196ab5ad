"""Send test: the real mail to one address."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages

from massmail_plugin.admin import names
from massmail_plugin.admin.mailing_screens import MailingScreen
from massmail_plugin.admin.screens import signed_in
from massmail_plugin.content.problems import ContentError
from massmail_plugin.delivery.single.send_test import send_test
from massmail_plugin.mailings.verbs import Refused


class SendTestForm(forms.Form):
    to = forms.EmailField(
        label=_("Send to"),
        help_text=_(
            "The mail is made for the first person of the lists. Nothing is counted, and its links do nothing."
        ),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class SendTestView(MailingScreen):
    template_name = "massmail_plugin/admin/send_test.html"
    permission_required = "send_test"
    object_permissions = ("send_test",)
    step = _("Send test")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.pop("form", None) or SendTestForm(initial={"to": signed_in(self.request).email})
        return {**super().get_context_data(**kwargs), "form": form}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = SendTestForm(request.POST)
        if form.is_valid():
            to = form.cleaned_data["to"]
            try:
                send_test(self.object, to, viewer=signed_in(request))
            except (Refused, ContentError) as error:
                form.add_error(None, [str(problem) for problem in error.problems])
            else:
                messages.success(request, gettext("Sent to %(to)s.") % {"to": to})
                return redirect(names.own_page(names.MAILINGS, self.object.pk))
        return self.render_to_response(self.get_context_data(form=form))
