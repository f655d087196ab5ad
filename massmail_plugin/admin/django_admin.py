"""For hosts whose records live in ``django.contrib.admin``: the action “Add to target list”.

    @admin.register(Contact)
    class ContactAdmin(MassmailAdminMixin, admin.ModelAdmin):
        ...

Django's changelist says what is selected, also for everything on all its pages: it is asked again, with its own
filters, search and permissions, when the selection is confirmed.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from massmail_plugin import recipients
from massmail_plugin.admin.target_lists.adding import add_and_tell, choosable
from massmail_plugin.admin.target_lists.bulk_action import ListForm
from massmail_plugin.admin.target_lists.permissions import changeable_lists, may_add_lists
from massmail_plugin.recipients.access import may_choose

ACTION = "add_to_target_list"


class MassmailAdminMixin:
    """For a ``ModelAdmin`` of a model that is registered as a recipient type."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        if _may_add(self, request):
            label = gettext_lazy("Add to target list")
            actions[ACTION] = (add_to_target_list, ACTION, label)
        return actions


def add_to_target_list(model_admin: Any, request: HttpRequest, selected: QuerySet[Any]) -> HttpResponse:
    """Ask for the list first; with an answer that is complete, add the selected records to it."""
    if not _may_add(model_admin, request):
        raise PermissionDenied
    recipient_type = recipients.for_model(model_admin.model)
    assert recipient_type is not None
    may_be_chosen = choosable(recipient_type, request.user, selected)
    number = may_be_chosen.count()
    answer = request.POST if "number" in request.POST else None
    form = ListForm(answer, selected=number, user=request.user)
    if answer is not None and number and form.is_valid():
        with transaction.atomic():
            sentence = add_and_tell(form.get_list(), recipient_type, may_be_chosen, request.user)
        messages.success(request, sentence)
        return HttpResponseRedirect(request.get_full_path())
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Add to target list"),
        "opts": model_admin.opts,
        "form": form,
        "number": number,
        "left_out": selected.count() - number,
        "recipient_type": recipient_type,
        "action": ACTION,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "ticked": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
    }
    return TemplateResponse(request, "massmail_plugin/target_lists/django_admin.html", context)


def _may_add(model_admin: Any, request: HttpRequest) -> bool:
    recipient_type = recipients.for_model(model_admin.model)
    user = request.user
    return (
        recipient_type is not None
        and may_choose(user, recipient_type)
        and (changeable_lists(user).exists() or may_add_lists(user))
    )
