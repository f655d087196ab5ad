"""Erasing what mass mailing knows of a person, from the page of their address or by the address alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin.admin import names
from massmail_plugin.admin.access import PolicyOf
from massmail_plugin.admin.consent import ConsentView, ReasonForm, spoken_for
from massmail_plugin.feedback import erasing
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import EmailAddress

_STEP = _("Erase")
_EXPLANATION = _(
    "Address, name, proofs and servers' answers go from everything that mass mailing has kept, and the person leaves "
    "every list. Nothing is mailed to the address again, wherever it comes from, unless its owner signs up anew. "
    "This cannot be undone. Records in your CRM stay: erase them there."
)
_DONE = _("Erased. Nothing is mailed to this address again.")


class Erase(ConsentView):
    step = _STEP
    permission_required = "erase"
    object_permissions = ("erase",)
    explanation = _EXPLANATION
    done = _DONE
    is_final = True

    def say(self, how: How) -> None:
        erasing.erase(self.object.key, how)


class ErasedForm(ReasonForm):
    """Whom, and why."""

    address = forms.CharField(label=_("E-mail address"), max_length=320)
    field_order = ["address", "reason"]

    def clean_address(self) -> str:
        try:
            return parse_address(self.cleaned_data["address"]).key
        except MalformedAddress as error:
            raise forms.ValidationError(str(error)) from error


class EraseSomebody(PolicyOf, PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """For somebody to whom nothing was ever mailed, and who therefore has no page here."""

    template_name = "massmail_plugin/admin/consent.html"
    permission_model = EmailAddress
    permission_required = "erase"
    page_title = _("Erase a person")
    header_icon = "user"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        plural = capfirst(str(EmailAddress._meta.verbose_name_plural))
        here = {"url": "", "label": str(self.page_title)}
        return [*self.breadcrumbs_items, {"url": _listing(), "label": plural}, here]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", ErasedForm(initial={"address": self.request.GET.get("address", "")}))
        words = {"explanation": _EXPLANATION, "step": _STEP, "is_final": True, "back_url": _listing()}
        return {**super().get_context_data(**kwargs), **words}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = ErasedForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        done = erasing.erase(form.cleaned_data["address"], spoken_for(request, form.cleaned_data["reason"]))
        messages.success(request, str(_DONE))
        return redirect(names.own_page(names.ADDRESSES, done.address.pk))


def _listing() -> str:
    return reverse(f"{names.ADDRESSES}:index")
