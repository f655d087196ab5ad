"""Sender accounts: listing, form, and the routes of an account's own page and its verbs."""

from __future__ import annotations

import json
from typing import Any

import django_filters
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, UserColumn
from wagtail.admin.viewsets.model import ModelViewSet

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin import names
from massmail_plugin.admin.access import ScopedListing
from massmail_plugin.admin.account_form import SenderAccountForm
from massmail_plugin.admin.account_limits import limit_panels
from massmail_plugin.admin.account_page import AccountPage, CheckConnection, SwitchOff, SwitchOn
from massmail_plugin.admin.account_usage import attach_usage
from massmail_plugin.admin.columns import StateColumn
from massmail_plugin.admin.screens import Create, Edit, Listing, ScopedViews


def _shown_for(kind: str) -> dict[str, str]:
    """Attributes that hide a panel unless this kind is chosen. Without scripts everything is shown."""
    return {"data-w-rules-target": "show", "data-w-rules": json.dumps({"kind": [kind]})}


def _last_fault(account: SenderAccount) -> str:
    """The last fault while it matters, cut: the account's own page has all of it."""
    return Truncator(account.present_fault).chars(90)


class AccountFilterSet(WagtailFilterSet):
    state = django_filters.ChoiceFilter(label=_("Status"), choices=SenderAccount.State.choices)

    class Meta:
        model = SenderAccount
        fields = ["state"]


class AccountListing(ScopedListing, Listing):
    empty_text = _(
        "No sender account yet. Mails leave through one: the SMTP server or the e-mail provider "
        "that you use. Ask your mail administrator for its name, user and password."
    )

    def get_table(self, object_list: Any) -> Any:
        return super().get_table(attach_usage(object_list))

    def get_edit_url(self, instance: SenderAccount) -> str | None:
        may_edit = self.user_has_permission_for_instance("change", instance)
        return super().get_edit_url(instance) if may_edit else None

    def get_delete_url(self, instance: SenderAccount) -> str | None:
        may_delete = self.user_has_permission_for_instance("delete", instance)
        return super().get_delete_url(instance) if may_delete else None


#: Django's reports of a crash show what was posted, and every variable; these views' are kept out of them.
_keeps_secrets = [sensitive_variables(), sensitive_post_parameters("new_password", "new_options")]


@method_decorator(_keeps_secrets, name="dispatch")
class AccountCreate(Create):
    """A new account is one's own; administrators may choose."""

    def get_initial_form_instance(self) -> SenderAccount:
        return SenderAccount(owner=self.request.user, spread_evenly=True)


@method_decorator(_keeps_secrets, name="dispatch")
class AccountEdit(Edit):
    pass


class SenderAccountViewSet(ScopedViews, ModelViewSet):
    model = SenderAccount
    name = names.ACCOUNTS
    url_prefix = "massmail/accounts"
    menu_label = _("Sender accounts")
    icon = "key"
    index_view_class = AccountListing
    add_view_class = AccountCreate
    edit_view_class = AccountEdit
    inspect_view_class = AccountPage
    filterset_class = AccountFilterSet
    search_fields = ["name", "from_email", "host"]
    list_display = [
        "name",
        Column("from_email", label=_("From"), sort_key="from_email"),
        Column("kind", label=_("Sends through"), accessor="get_kind_display", sort_key="kind"),
        UserColumn("owner", label=_("Owner"), blank_display_name=_("Everybody")),
        StateColumn("state", label=_("Status"), accessor="get_state_display", sort_key="state"),
        Column("last_hour", label=_("Last hour"), accessor="usage.last_hour"),
        Column("last_day", label=_("Last 24 hours"), accessor="usage.last_day"),
        Column("last_fault", label=_("Last fault"), accessor=_last_fault),
    ]
    edit_handler = ObjectList(
        [
            MultiFieldPanel(["name", "owner", "is_main"], heading=_("Account")),
            MultiFieldPanel(
                [FieldRowPanel(["from_name", "from_email"]), "reply_to"], heading=_("What recipients see")
            ),
            MultiFieldPanel(["kind", "connections"], heading=_("Way out")),
            MultiFieldPanel(
                [
                    FieldRowPanel(["host", "port"]),
                    "security",
                    FieldRowPanel(["username", FieldPanel("new_password")]),
                    FieldPanel("remove_password"),
                ],
                heading=_("SMTP server"),
                attrs=_shown_for(SenderAccount.Kind.SMTP),
            ),
            MultiFieldPanel(
                ["backend", FieldPanel("new_options"), FieldPanel("remove_options"), "batch_size"],
                heading=_("E-mail provider"),
                attrs=_shown_for(SenderAccount.Kind.BACKEND),
            ),
            *limit_panels(),
        ],
        base_form_class=SenderAccountForm,
        attrs={"data-controller": "w-rules", "data-action": "change->w-rules#resolve"},
    )

    def get_index_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        accounts = SenderAccount.objects.select_related("owner__wagtail_userprofile")
        return super().get_index_view_kwargs(**{"queryset": accounts, **kwargs})

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("check/<int:pk>/", CheckConnection.as_view(), name="check"),
            path("switch-on/<int:pk>/", SwitchOn.as_view(), name="switch_on"),
            path("switch-off/<int:pk>/", SwitchOff.as_view(), name="switch_off"),
        ]
