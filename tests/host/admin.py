"""A host that edits its records in Django's admin."""

from django.contrib import admin

from massmail_plugin.admin.django_admin import MassmailAdminMixin
from sandbox.crm.models import Lead
from tests.host.models import Donor


@admin.register(Lead)
class LeadAdmin(MassmailAdminMixin, admin.ModelAdmin):
    list_display = ["last_name", "email", "status"]
    list_filter = ["status", "city"]
    search_fields = ["last_name", "email"]
    list_per_page = 10


@admin.register(Donor)
class DonorAdmin(MassmailAdminMixin, admin.ModelAdmin):
    """Not registered as a recipient type, so that it has no action."""
