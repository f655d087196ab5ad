"""E-mail addresses: who may be mailed. Read-only; what changes is said by people and recorded."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets.button import Button

from massmail_plugin.admin import names
from massmail_plugin.admin.address_page import AddressPage
from massmail_plugin.admin.columns import MomentColumn
from massmail_plugin.admin.consent import MarkValid, OptIn, OptOut
from massmail_plugin.admin.erasing import Erase, EraseSomebody
from massmail_plugin.admin.screens import Listing, ScopedViews
from massmail_plugin.admin.standings import STANDINGS, standing
from massmail_plugin.recipients.models import EmailAddress


class AddressFilterSet(WagtailFilterSet):
    standing = django_filters.ChoiceFilter(
        label=_("Status"),
        choices=[(key, label) for key, (label, _condition) in STANDINGS.items()],
        method="by_standing",
    )

    class Meta:
        model = EmailAddress
        fields: list[str] = []

    def by_standing(self, queryset: QuerySet[EmailAddress], name: str, value: str) -> QuerySet[EmailAddress]:
        return queryset.filter(STANDINGS[value][1]).distinct()


class AddressListing(Listing):
    empty_text = _("No address yet. An address appears here when it is first mailed, opts out or bounces.")

    def get_base_queryset(self) -> QuerySet[EmailAddress]:
        queryset: QuerySet[EmailAddress] = super().get_base_queryset()
        return queryset.prefetch_related("list_opt_outs")

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons: list[Any] = super().header_more_buttons
        why = reverse(f"{names.MAILINGS}:why")
        buttons = [*buttons, Button(_("Did somebody get it?"), url=why, icon_name="help", priority=80)]
        if self.user_has_permission("erase"):
            url = reverse(f"{names.ADDRESSES}:erase_somebody")
            buttons = [*buttons, Button(_("Erase a person"), url=url, icon_name="bin", priority=90)]
        return buttons

    def get_add_url(self) -> None:
        return None

    def get_edit_url(self, instance: EmailAddress) -> None:
        return None

    def get_delete_url(self, instance: EmailAddress) -> None:
        return None


class EmailAddressViewSet(ScopedViews, ModelViewSet):
    model = EmailAddress
    name = names.ADDRESSES
    url_prefix = "massmail/addresses"
    menu_label = _("Addresses")
    icon = "user"
    # There are as many as there are people: nobody asks where one of them is used.
    add_to_reference_index = False
    index_view_class = AddressListing
    inspect_view_class = AddressPage
    filterset_class = AddressFilterSet
    search_fields = ["key"]
    list_per_page = 50
    list_display = [
        "__str__",
        Column("standing", label=_("Status"), accessor=standing),
        MomentColumn("opted_out_since", label=_("Opted out"), sort_key="opted_out_since"),
        MomentColumn("invalid_since", label=_("Invalid since"), sort_key="invalid_since"),
        DateColumn("created_at", label=_("First seen"), sort_key="created_at"),
    ]
    form_fields: list[str] = []

    def get_permissions_to_register(self) -> QuerySet[Permission]:
        """Addresses come by themselves and are never deleted: consent hangs on them."""
        content_type = ContentType.objects.get_for_model(EmailAddress)
        return Permission.objects.filter(
            content_type=content_type,
            codename__in=["view_emailaddress", "change_emailaddress", "erase_emailaddress"],
        )

    def get_common_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        absent = ("add_url_name", "edit_url_name", "delete_url_name", "history_url_name", "usage_url_name")
        return {**super().get_common_view_kwargs(**kwargs), **dict.fromkeys(absent)}

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path("inspect/<int:pk>/", self.inspect_view, name="inspect"),
            path("mark-valid/<int:pk>/", MarkValid.as_view(), name="mark_valid"),
            path("opt-out/<int:pk>/", OptOut.as_view(), name="opt_out"),
            path("erase/", EraseSomebody.as_view(), name="erase_somebody"),
            path("erase/<int:pk>/", Erase.as_view(), name="erase"),
            path("opt-in/<int:pk>/", OptIn.as_view(), name="opt_in"),
        ]

    def register_admin_url_finder(self) -> None:
        """There is no edit page to be found."""
