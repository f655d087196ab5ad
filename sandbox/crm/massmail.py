"""Makes the CRM mailable: everything that massmail_plugin has to know about it."""

from django.contrib.auth import get_user_model
from django.db.models import Value
from django.db.models.functions import Concat, Trim

from massmail_plugin import recipients
from sandbox.crm import filters
from sandbox.crm.models import Account, Contact, Lead, Ticket

#: What ``Person.full_name`` says, for the database: a list of a million people needs no Python for each.
FULL_NAME = Trim(Concat("first_name", Value(" "), "last_name"))


@recipients.register(Contact)
class ContactRecipients(recipients.RecipientType):
    email = "email"
    name = "full_name"
    name_expression = FULL_NAME
    owner = "assigned_to"
    department = "department"
    vip = "is_vip"
    language = "language"
    time_zone = "time_zone"
    merge_fields = ["title", "first_name", "last_name", "full_name", "city", "company__name"]
    search_fields = ["first_name", "last_name", "email", "company__name"]
    filterset_class = filters.ContactFilterSet


@recipients.register(Lead)
class LeadRecipients(recipients.RecipientType):
    email = "email"
    name = "full_name"
    name_expression = FULL_NAME
    owner = "assigned_to"
    department = "department"
    vip = "is_vip"
    language = "language"
    time_zone = "time_zone"
    merge_fields = ["title", "first_name", "last_name", "full_name", "city", "company_name"]
    search_fields = ["first_name", "last_name", "email", "company_name"]
    filterset_class = filters.LeadFilterSet


@recipients.register(Account)
class AccountRecipients(recipients.RecipientType):
    email = "email"
    name = "name"
    owner = "assigned_to"
    department = "department"
    vip = "is_vip"
    merge_fields = ["name", "city", "country", "industry"]
    filterset_class = filters.AccountFilterSet


@recipients.register(Ticket)
class TicketRecipients(recipients.RecipientType):
    email = "requester_email"
    name = "requester_name"
    owner = "assigned_to"
    department = "department"
    merge_fields = ["requester_name", "subject", "product", "status"]
    search_fields = ["requester_name", "requester_email", "subject"]
    filterset_class = filters.TicketFilterSet


@recipients.register(get_user_model())
class UserRecipients(recipients.RecipientType):
    email = "email"
    name = "get_full_name"
    merge_fields = ["first_name", "last_name", "username"]
    search_fields = ["username", "first_name", "last_name", "email"]
    filterset_class = filters.UserFilterSet

    def get_queryset(self):
        return super().get_queryset().filter(is_active=True)
