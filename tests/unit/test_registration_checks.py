"""A registration that cannot work is told at start, with what to write instead."""

from __future__ import annotations

from typing import Any

import django_filters
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test.utils import isolate_apps

from massmail_plugin import recipients
from massmail_plugin.recipients import registry
from massmail_plugin.recipients.types import RecipientType
from massmail_plugin.registration_checks import check_recipient_types
from sandbox.crm.filters import LeadFilterSet
from sandbox.crm.models import Contact, Lead
from tests.host.models import Donor, FormerPatient, Imported, Inpatient, LongKey, Patient, TwoKeys


def found(monkeypatch: pytest.MonkeyPatch, model: type[models.Model], **attributes: Any) -> dict[str, Any]:
    """Return what the checks say of a registration: message by number."""
    recipient_type = type("Wrong", (RecipientType,), attributes)(model)
    monkeypatch.setattr(registry, "_types", {recipient_type.key: recipient_type})
    messages = check_recipient_types()
    assert all(message.hint for message in messages)
    return {str(message.id).rpartition(".")[2]: message for message in messages}


def test_a_project_without_recipients_is_told_where_to_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", {})
    (message,) = check_recipient_types()
    assert "massmail.py" in str(message.hint)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"email": "mail"}, {"E004"}),
        ({"email": ""}, {"E004"}),
        ({"email": "company__nothing"}, {"E004"}),
        ({"email": "email__domain"}, {"E004"}),
        ({"email": "full_name"}, {"E004"}),
        ({"email": "company"}, {"E014"}),
        ({"email": "tickets__requester_email"}, {"E013"}),
        ({"language": "tongue"}, {"E004"}),
        ({"language": "assigned_to"}, {"E014"}),
        ({"time_zone": "company__contacts__time_zone"}, {"E013"}),
        ({"owner": "boss"}, {"E004"}),
        ({"owner": "full_name"}, {"E004"}),
        ({"owner": "email"}, {"E015"}),
        ({"owner": "department"}, {"E015"}),
        ({"owner": "assigned_to_id"}, set()),
        ({"owner": "company__assigned_to"}, set()),
        ({"department": "assigned_to"}, {"E015"}),
        ({"department": "assigned_to__groups"}, set()),
        ({"merge_fields": ["frist_name"]}, {"E005"}),
        ({"merge_fields": ["company__nothing"]}, {"E005"}),
        ({"merge_fields": ["first_name__upper"]}, {"E005"}),
        ({"merge_fields": ["tickets"]}, {"E013"}),
        ({"merge_fields": ["company", "company__name"]}, {"E016"}),
        ({"merge_fields": "first_name"}, {"E007"}),
        ({"merge_fields": ["company__name", "pk", "full_name", "company__pk"]}, set()),
        ({"search_fields": "email"}, {"E007"}),
        ({"search_fields": ["full_name"]}, {"E004"}),
        ({"search_fields": ["tickets__subject"]}, {"E013"}),
        ({"name": "nick"}, {"E005"}),
        ({"vip": "is_dear"}, {"E005"}),
        ({"vip": "full_name"}, set()),
        ({"filterset_class": Contact}, {"E017"}),
        ({"filterset_class": LeadFilterSet}, {"E017"}),
        ({"filterset_class": type("Any", (django_filters.FilterSet,), {})}, set()),
    ],
)
def test_a_registration_that_names_what_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, attributes: dict[str, Any], expected: set[str]
) -> None:
    assert set(found(monkeypatch, Contact, **attributes)) == expected


@pytest.mark.parametrize(
    ("model", "attributes", "expected"),
    [
        (Patient, {"email": "person__email", "owner": "doctors", "department": "wards"}, set()),
        (Inpatient, {"email": "person__email", "name": "room"}, set()),
        (FormerPatient, {"email": "person__email"}, set()),
        (Imported, {"email": "mail", "name": "code"}, set()),
        (Donor, {"name": "order", "owner": "owner"}, set()),
        (Patient, {"email": "anything"}, {"E004"}),
        (LongKey, {}, {"E012"}),
        (TwoKeys, {}, {"E012"}),
    ],
)
def test_models_of_every_kind(
    monkeypatch: pytest.MonkeyPatch,
    model: type[models.Model],
    attributes: dict[str, Any],
    expected: set[str],
) -> None:
    assert set(found(monkeypatch, model, **attributes)) == expected


def test_a_property_is_told_from_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    message = found(monkeypatch, Patient, email="email")["E004"]

    assert "property or method" in message.msg
    assert "person__email" in message.hint


def test_a_relation_in_place_of_an_address_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert '"person__email"' in found(monkeypatch, Patient, email="person")["E014"].hint


@isolate_apps("tests.host")
def test_a_model_without_records_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Somebody(models.Model):
        email = models.EmailField()

        class Meta:
            abstract = True
            app_label = "host"

    class Swapped(models.Model):
        email = models.EmailField()

        class Meta:
            app_label = "host"
            swappable = "AUTH_USER_MODEL"

        def __str__(self) -> str:
            return self.email

    assert "abstract" in found(monkeypatch, Somebody)["E011"].msg
    assert "get_user_model()" in found(monkeypatch, Swapped)["E011"].hint


def test_two_registrations_of_one_model_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", {})
    recipients.register(Lead)(type("First", (RecipientType,), {}))
    with pytest.raises(ImproperlyConfigured, match="registered twice"):
        recipients.register(Lead)(type("Second", (RecipientType,), {}))
