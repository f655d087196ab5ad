"""The CRM and helpdesk of a small trading company. Plain Django: nothing here knows massmail_plugin."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone

LANGUAGES = [("en", "English"), ("de", "German"), ("fr", "French"), ("ar", "Arabic"), ("ja", "Japanese")]


class Record(models.Model):
    """A record that a salesperson looks after, for a department."""

    # Tells imported records from those made by hand, so that an import can run again.
    import_key = models.CharField(max_length=20, unique=True, null=True, blank=True, editable=False)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="%(class)ss"
    )
    department = models.ForeignKey(
        Group, null=True, blank=True, on_delete=models.SET_NULL, related_name="%(class)ss"
    )

    class Meta:
        abstract = True


class Account(Record):
    """A company."""

    name = models.CharField(max_length=255)
    # No EmailField anywhere: the addresses come from imports, and some of them are none.
    email = models.CharField(max_length=320, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    industry = models.CharField(max_length=80, blank=True)
    website = models.CharField(max_length=255, blank=True)
    city = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=80, blank=True)
    is_vip = models.BooleanField("VIP", default=False)
    created_at = models.DateTimeField("created", default=timezone.now)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class Person(Record):
    """What contacts and leads have in common."""

    title = models.CharField(max_length=40, blank=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    email = models.CharField(max_length=320, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    city = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=80, blank=True)
    language = models.CharField(max_length=8, choices=LANGUAGES, default="en")
    time_zone = models.CharField(max_length=40, blank=True)
    is_vip = models.BooleanField("VIP", default=False)
    created_at = models.DateTimeField("created", default=timezone.now)

    class Meta:
        abstract = True
        ordering = ["last_name", "first_name", "pk"]

    def __str__(self) -> str:
        return self.full_name() or self.email or f"No. {self.pk}"

    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    # Lets listings sort by it.
    full_name.short_description = "Name"  # type: ignore[attr-defined]
    full_name.admin_order_field = "last_name"  # type: ignore[attr-defined]


class Contact(Person):
    """Somebody at a company we know."""

    company = models.ForeignKey(
        Account, null=True, blank=True, on_delete=models.SET_NULL, related_name="contacts"
    )
    tags = models.CharField(max_length=255, blank=True, help_text="Separated by commas.")


class Lead(Person):
    """Somebody who may become a customer."""

    class Status(models.TextChoices):
        NEW = "new", "New"
        WORKING = "working", "Being worked on"
        QUALIFIED = "qualified", "Qualified"
        LOST = "lost", "Lost"

    company_name = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.NEW)


class Ticket(Record):
    """A question to the helpdesk, from a contact or from somebody we only know the address of."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        WAITING = "waiting", "Waiting for the customer"
        SOLVED = "solved", "Solved"

    subject = models.CharField(max_length=255)
    product = models.CharField(max_length=80, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    requester = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets"
    )
    # Always filled, so that mailing needs one field only; copied from the contact when there is one.
    requester_name = models.CharField(max_length=255, blank=True)
    requester_email = models.CharField(max_length=320, blank=True)
    created_at = models.DateTimeField("created", default=timezone.now)

    class Meta:
        ordering = ["-created_at", "pk"]

    def __str__(self) -> str:
        return self.subject
