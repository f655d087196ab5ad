"""Models as hosts really have them: keys of all kinds, inheritance, managers that hide rows, tables of others."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Person(models.Model):
    """The address is not on the record that is mailed, but on the person behind it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    email = models.EmailField(blank=True)

    def __str__(self) -> str:
        return self.name


class Patient(models.Model):
    """A key of letters, and everything else at the end of relations."""

    number = models.CharField(primary_key=True, max_length=20)
    person = models.ForeignKey(Person, null=True, on_delete=models.CASCADE, related_name="patients")
    doctors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    wards = models.ManyToManyField(Group, related_name="+")
    content_type = models.ForeignKey(ContentType, null=True, on_delete=models.CASCADE)
    object_id = models.PositiveIntegerField(null=True)
    anything = GenericForeignKey()

    def __str__(self) -> str:
        return self.number

    @property
    def email(self) -> str:
        return self.person.email if self.person else ""


class Inpatient(Patient):
    """Multi-table inheritance: its key is its parent's."""

    room = models.CharField(max_length=10, blank=True)


class FormerPatient(Patient):
    """The same rows under another name."""

    class Meta:
        proxy = True


class _NotDeleted(models.Manager[Any]):
    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(is_deleted=False)


class Donor(models.Model):
    """The manager that comes first hides what was deleted; the model has a name that SQL reserves."""

    email = models.EmailField()
    order = models.CharField(max_length=100, blank=True)
    is_deleted = models.BooleanField(default=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects: models.Manager[Any] = _NotDeleted()
    everything: models.Manager[Any] = models.Manager()

    def __str__(self) -> str:
        return self.email


class Imported(models.Model):
    """A table that somebody else's program makes: Django never creates or changes it."""

    code = models.CharField(primary_key=True, max_length=64, db_column="CODE")
    mail = models.CharField(max_length=200, db_column="E-Mail")

    class Meta:
        managed = False
        db_table = "somebody elses table"

    def __str__(self) -> str:
        return self.code


class LongKey(models.Model):
    """A key that is longer than a list can hold."""

    url = models.CharField(primary_key=True, max_length=200)
    email = models.EmailField()

    class Meta:
        managed = False

    def __str__(self) -> str:
        return self.url


class TwoKeys(models.Model):
    """A key of two columns."""

    pk = models.CompositePrimaryKey("shop", "number")
    shop = models.IntegerField()
    number = models.IntegerField()
    email = models.EmailField()

    class Meta:
        managed = False

    def __str__(self) -> str:
        return f"{self.shop}/{self.number}"
