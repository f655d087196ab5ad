"""Subscribers: people who signed up or came with a file, and whom no record of the host's knows."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from wagtail.admin.admin_url_finder import ModelAdminURLFinder
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.model import ModelViewSet

from massmail_plugin.admin import names
from massmail_plugin.admin.columns import MomentColumn
from massmail_plugin.admin.listing import MassmailListingMixin
from massmail_plugin.admin.screens import Listing, ScopedViews
from massmail_plugin.admin.subscribers.facts import facts_of
from massmail_plugin.admin.subscribers.filters import SubscriberFilterSet
from massmail_plugin.admin.subscribers.page import SubscriberPage
from massmail_plugin.admin.target_lists.columns import PersonColumn
from massmail_plugin.recipients.models import Subscriber


class SubscriberListing(Listing):
    empty_text = _(
        "No subscriber yet. Whoever signs up for a public list, or comes with a file that you import into a list, "
        "appears here, unless the CRM knows them."
    )

    def get_table(self, object_list: Any) -> Any:
        subscribers = list(object_list)
        facts = facts_of(subscribers, self.request.user)
        for subscriber in subscribers:
            subscriber.facts = facts[subscriber.pk]
        return super().get_table(subscribers)

    def get_add_url(self) -> None:
        return None

    def get_delete_url(self, instance: Subscriber) -> None:
        return None


class _SubscriberURLFinder(ModelAdminURLFinder):
    """From a list to the subscriber's own page, which leads on to the form."""

    edit_url_name = f"{names.SUBSCRIBERS}:inspect"


def _lists(subscriber: Any) -> str:
    return ", ".join(page.title for page in subscriber.facts.lists)


class SubscriberViewSet(MassmailListingMixin, ScopedViews, ModelViewSet):
    model = Subscriber
    name = names.SUBSCRIBERS
    url_prefix = "massmail/subscribers"
    menu_label = _("Subscribers")
    icon = "group"
    # There are as many as there are people: nobody asks where one of them is used.
    add_to_reference_index = False
    index_view_class = SubscriberListing
    inspect_view_class = SubscriberPage
    url_finder_class = _SubscriberURLFinder
    filterset_class = SubscriberFilterSet
    search_fields = ["name", "email", "key"]
    list_per_page = 50
    list_display = [
        PersonColumn(
            "name",
            label=_("Name"),
            accessor=str,
            sort_key="name",
            url_name=f"{names.SUBSCRIBERS}:inspect",
            get_email=lambda subscriber: subscriber.email if subscriber.name else "",
        ),
        Column("standing", label=_("Status"), accessor="facts.standing"),
        MomentColumn("signed_up", label=_("Sign-up confirmed"), accessor="facts.signed_up_at"),
        Column("lists", label=_("Target lists"), accessor=_lists),
        DateColumn("created_at", label=_("Known since"), sort_key="created_at"),
    ]
    #: Not the address: consent hangs on it, and another address is another person.
    form_fields = ["name", "language"]

    def get_permissions_to_register(self) -> QuerySet[Permission]:
        """Subscribers come by themselves. They leave by being erased, which is a right to addresses."""
        content_type = ContentType.objects.get_for_model(Subscriber)
        return Permission.objects.filter(
            content_type=content_type, codename__in=["view_subscriber", "change_subscriber"]
        )

    def get_common_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        absent = ("add_url_name", "delete_url_name", "usage_url_name")
        return {**super().get_common_view_kwargs(**kwargs), **dict.fromkeys(absent)}

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path("inspect/<int:pk>/", self.inspect_view, name="inspect"),
            path("edit/<int:pk>/", self.edit_view, name="edit"),
            path("history/<int:pk>/", self.history_view, name="history"),
            path("history-results/<int:pk>/", self.history_results_view, name="history_results"),
        ]
