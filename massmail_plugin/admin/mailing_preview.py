"""The mail of a mailing as the first of its people will see it, for a frame."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.generic import View
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin.accounts.models import accounts_for
from massmail_plugin.admin.access import LOOK
from massmail_plugin.admin.screens import signed_in
from massmail_plugin.content import preview
from massmail_plugin.content.samples import Sample
from massmail_plugin.mailings.first_person import first_person
from massmail_plugin.mailings.models import Mailing


@method_decorator(xframe_options_sameorigin, name="dispatch")
class MailingPreview(PermissionCheckedMixin, View):
    model = Mailing
    any_permission_required = LOOK

    def get(self, request: HttpRequest, *args: Any, pk: int) -> HttpResponse:
        mailing = get_object_or_404(Mailing.objects.select_related("template", "campaign"), pk=pk)
        if not self.permission_policy.user_has_any_permission_for_instance(request.user, LOOK, mailing):
            raise PermissionDenied
        if mailing.template is None:
            return HttpResponse()
        response = preview.serve(
            mailing.template,
            request,
            "mail",
            sender=sender_of(mailing),
            sample=first_person_of(mailing, request),
        )
        # The frame is ours and stays closed to everything else.
        response["Cache-Control"] = "no-store"
        return response


def sender_of(mailing: Mailing) -> dict[str, str] | None:
    """Return whom the mail comes from; None while no account is ready."""
    account = accounts_for(mailing.owner_id).first()
    return {"name": account.from_name, "email": account.from_email} if account else None


def first_person_of(mailing: Mailing, request: HttpRequest) -> Sample | None:
    """Return the first person who would get it, of those whom the user may see."""
    first = first_person(mailing, signed_in(request))
    return Sample(*first) if first else None
