"""A sender account's own page, and its buttons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail.admin import messages
from wagtail.admin.views.generic.base import BaseOperationView
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.switches import switch_off, switch_on
from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, ScopedObject
from massmail_plugin.admin.account_usage import limit_facts, next_mail
from massmail_plugin.admin.columns import state_class
from massmail_plugin.admin.screens import OwnPage
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.delivery.single.connection_check import check_connection


class AccountPage(OwnPage):
    template_name = "massmail_plugin/admin/account_page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        account: SenderAccount = self.object
        return {
            **super().get_context_data(**kwargs),
            "account": account,
            "state_class": state_class(account.state),
            "next_mail": next_mail(account),
            "limit_facts": limit_facts(account),
            "may_switch": self.user_has_permission_for_instance("change", account),
            "check_url": reverse(f"{names.ACCOUNTS}:check", args=(account.pk,)),
            "switch_on_url": reverse(f"{names.ACCOUNTS}:switch_on", args=(account.pk,)),
            "switch_off_url": reverse(f"{names.ACCOUNTS}:switch_off", args=(account.pk,)),
        }


class AccountVerb(PermissionCheckedMixin, ScopedObject, BaseOperationView):
    """One button of an account; the way back is its page."""

    http_method_names = ["post"]
    model = SenderAccount
    any_permission_required: Sequence[str] = ("change",)
    object_permissions: Sequence[str] = ("change",)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.perform_operation()
        return redirect(names.own_page(names.ACCOUNTS, self.object.pk))


class CheckConnection(AccountVerb):
    """Connects and logs in; everybody who mails through an account may do that."""

    any_permission_required = LOOK
    object_permissions = LOOK

    def perform_operation(self) -> None:
        result = check_connection(self.object)
        if result.works:
            messages.success(self.request, result.message)
            nudge_tick()
        else:
            messages.error(self.request, _("It does not work: %(why)s") % {"why": result.message})


class SwitchOn(AccountVerb):
    def perform_operation(self) -> None:
        if switch_on(self.object, user=self.request.user):
            messages.success(self.request, _("Mails leave through this account again."))
            nudge_tick()


class SwitchOff(AccountVerb):
    def perform_operation(self) -> None:
        if switch_off(self.object, user=self.request.user):
            messages.success(self.request, _("Switched off. Nothing leaves through this account any more."))
            # Mailings that have no other say so at once.
            nudge_tick()
