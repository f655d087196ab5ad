"""What records can be filtered by: in their listings, and when choosing whom to mail."""

import django_filters
from django.contrib.auth import get_user_model
from wagtail.admin.filters import WagtailFilterSet

from sandbox.crm.models import Account, Contact, Lead, Ticket


class _CityFilterSet(WagtailFilterSet):
    city = django_filters.CharFilter(lookup_expr="icontains")
    country = django_filters.CharFilter(lookup_expr="icontains")


class AccountFilterSet(_CityFilterSet):
    class Meta:
        model = Account
        fields = ["city", "country", "industry", "assigned_to", "department", "is_vip"]


class ContactFilterSet(_CityFilterSet):
    tags = django_filters.CharFilter(lookup_expr="icontains", label="Tag")

    class Meta:
        model = Contact
        fields = ["city", "country", "tags", "language", "assigned_to", "department", "is_vip"]


class LeadFilterSet(_CityFilterSet):
    class Meta:
        model = Lead
        fields = ["status", "city", "country", "language", "assigned_to", "department", "is_vip"]


class TicketFilterSet(WagtailFilterSet):
    product = django_filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Ticket
        fields = ["status", "product", "assigned_to", "department"]


class UserFilterSet(WagtailFilterSet):
    class Meta:
        model = get_user_model()
        fields = ["groups"]
