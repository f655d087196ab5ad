"""The CRM's own screens in the Wagtail admin."""

from typing import Any

from django.utils.functional import cached_property
from django.utils.text import Truncator
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.base import ViewSetGroup
from wagtail.admin.viewsets.model import ModelViewSet

from massmail_plugin.admin.listing import MassmailListingMixin
from sandbox.crm import filters
from sandbox.crm.models import Account, Contact, Lead, Ticket


def address_column(field: str) -> Column:
    """An address, cut: one that is too long would push all other columns out of sight."""
    return Column(
        field,
        label="Email",
        sort_key=field,
        accessor=lambda record: Truncator(getattr(record, field)).chars(32),
    )


EMAIL = address_column("email")
VIP = Column("is_vip", label="VIP", sort_key="is_vip", accessor=lambda record: "VIP" if record.is_vip else "")
CREATED = DateColumn("created_at", label="Created", sort_key="created_at", width="12%")
OWNER = FieldRowPanel(["assigned_to", "department"])
PLACE = FieldRowPanel(["city", "country"])


class CrmViewSet(MassmailListingMixin, ModelViewSet):
    """What the four listings share."""

    list_per_page = 50
    inspect_view_enabled = True
    # Thousands of imported records: nobody asks where one of them is used.
    add_to_reference_index = False
    #: What the columns show of related records, loaded with the page.
    list_related = ["assigned_to"]

    @cached_property
    def url_prefix(self) -> str:
        # "/admin/account/" is Wagtail's own, for one's password and picture.
        return f"crm/{self.model_name}"

    def get_index_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        records = self.model._default_manager.select_related(*self.list_related)
        return super().get_index_view_kwargs(**{"queryset": records, **kwargs})


class AccountViewSet(CrmViewSet):
    model = Account
    icon = "globe"
    list_display = ["name", EMAIL, "city", "industry", "assigned_to", VIP]
    filterset_class = filters.AccountFilterSet
    search_fields = ["name", "email", "city"]
    panels = [
        MultiFieldPanel(["name", "industry", "website", PLACE], heading="Company"),
        MultiFieldPanel([FieldRowPanel(["email", "phone"])], heading="Reached at"),
        MultiFieldPanel([OWNER, "is_vip"], heading="Looked after by"),
    ]


class PersonViewSet(CrmViewSet):
    """Contacts and leads."""

    icon = "user"
    reached_at = MultiFieldPanel(
        [FieldRowPanel(["email", "phone"]), PLACE, FieldRowPanel(["language", "time_zone"])],
        heading="Reached at",
    )
    looked_after = MultiFieldPanel([OWNER, "is_vip"], heading="Looked after by")


class ContactViewSet(PersonViewSet):
    model = Contact
    list_related = ["assigned_to", "company"]
    list_display = ["full_name", EMAIL, "company", "city", "assigned_to", VIP]
    filterset_class = filters.ContactFilterSet
    search_fields = ["first_name", "last_name", "email", "company__name"]
    panels = [
        MultiFieldPanel(
            ["title", FieldRowPanel(["first_name", "last_name"]), "company", "tags"], heading="Person"
        ),
        PersonViewSet.reached_at,
        PersonViewSet.looked_after,
    ]


class LeadViewSet(PersonViewSet):
    model = Lead
    icon = "pick"
    list_display = ["full_name", EMAIL, "company_name", "city", "status", "assigned_to"]
    filterset_class = filters.LeadFilterSet
    search_fields = ["first_name", "last_name", "email", "company_name"]
    panels = [
        MultiFieldPanel(
            ["title", FieldRowPanel(["first_name", "last_name"]), "company_name"], heading="Person"
        ),
        MultiFieldPanel([FieldRowPanel(["status", "source"])], heading="Interest"),
        PersonViewSet.reached_at,
        PersonViewSet.looked_after,
    ]


class TicketViewSet(CrmViewSet):
    model = Ticket
    icon = "help"
    list_display = [
        "subject",
        "requester_name",
        address_column("requester_email"),
        "status",
        "assigned_to",
        CREATED,
    ]
    filterset_class = filters.TicketFilterSet
    search_fields = ["subject", "requester_name", "requester_email"]
    panels = [
        MultiFieldPanel(["subject", FieldRowPanel(["product", "status"])], heading="Question"),
        MultiFieldPanel(
            [FieldPanel("requester"), FieldRowPanel(["requester_name", "requester_email"])],
            heading="Asked by",
        ),
        MultiFieldPanel([OWNER], heading="Looked after by"),
    ]


class CrmGroup(ViewSetGroup):
    menu_label = "CRM"
    menu_icon = "group"
    menu_order = 150
    items = (AccountViewSet, ContactViewSet, LeadViewSet, TicketViewSet)
