"""Models of every kind can be put in a list, found there, and taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Model

from massmail_plugin import recipients
from massmail_plugin.audience.members import add_members, members_among, records_of, remove_members
from massmail_plugin.recipients import RecipientType, registry
from tests.builders import a_target_list
from tests.host.models import Donor, FormerPatient, Imported, Inpatient, Patient, Person

pytestmark = pytest.mark.django_db


class OfPatient(RecipientType):
    email = "person__email"
    name = "person__name"
    merge_fields = ["number", "person__name"]
    search_fields = ["number", "person__name"]


class OfInpatient(OfPatient):
    merge_fields = ["number", "person__name", "room"]


class OfDonor(RecipientType):
    name = "order"


class OfImported(RecipientType):
    email = "mail"
    name = "code"


def patients(model: type[Model]) -> list[Model]:
    people = [Person.objects.create(name=f"Person {n}", email=f"p{n}@example.org") for n in range(3)]
    return [
        model._default_manager.create(number=f"X%/{n}'", person=person) for n, person in enumerate(people)
    ]


def donors(model: type[Model]) -> list[Model]:
    return [Donor.objects.create(email=f"p{n}@example.org", order=f"Person {n}") for n in range(3)]


def imported(model: type[Model]) -> list[Model]:
    return [Imported.objects.create(code=f"Person {n}", mail=f"p{n}@example.org") for n in range(3)]


KINDS: list[tuple[type[Model], type[RecipientType], Callable[..., list[Model]]]] = [
    (Patient, OfPatient, patients),
    (Inpatient, OfInpatient, patients),
    (FormerPatient, OfPatient, patients),
    (Donor, OfDonor, donors),
    (Imported, OfImported, imported),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind[0].__name__)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, db: None) -> tuple[Any, list[Any]]:
    """Return a recipient type of the host's, registered, and three records of it."""
    model, kind, make = request.param
    monkeypatch.setattr(registry, "_types", {})
    recipients.register(model)(kind)
    return recipients.for_model(model), make(model)


def test_its_records_are_chosen_listed_and_removed(kind: tuple[Any, list[Any]]) -> None:
    of, records = kind
    people = a_target_list()
    add_members(people, of, [record.pk for record in records[:2]])

    assert set(records_of(people, of)) == set(records[:2])
    rows = list(of.rows(records_of(people, of)))
    assert [(row.name, row.email) for row in rows] == [
        ("Person 0", "p0@example.org"),
        ("Person 1", "p1@example.org"),
    ]
    assert {row.object_id for row in rows} == set(people.members.values_list("object_id", flat=True))
    found = members_among(people, of, of.search(of.get_queryset(), "Person 1"))
    assert [member.object_id for member in found] == [str(records[1].pk)]
    assert remove_members(people, found) == 1
    assert set(records_of(people, of)) == {records[0]}


def test_its_records_are_loaded_for_their_mails(kind: tuple[Any, list[Any]]) -> None:
    of, records = kind
    ids = [str(record.pk) for record in records]
    loaded = of.load(ids)

    assert sorted(loaded) == sorted(ids)
    assert [of.record_email(loaded[pk]) for pk in ids] == [f"p{n}@example.org" for n in range(3)]
    assert [of.display_name(loaded[pk]) for pk in ids] == [f"Person {n}" for n in range(3)]


def test_records_that_the_manager_hides_get_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", {})
    recipients.register(Donor)(OfDonor)
    of: Any = recipients.for_model(Donor)
    here, gone = donors(Donor)[:2]
    people = a_target_list(here, gone)
    Donor.everything.filter(pk=gone.pk).update(is_deleted=True)

    assert list(records_of(people, of)) == [here]
    assert of.load([str(gone.pk)]) == {}


def test_a_person_who_is_missing_leaves_a_record_without_an_address() -> None:
    Patient.objects.create(number="1")

    (row,) = OfPatient(Patient).rows(Patient.objects.all())
    assert (row.name, row.email) == ("", "")


def test_a_proxy_and_its_model_are_two_types_with_the_same_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", {})
    recipients.register(Patient)(OfPatient)
    recipients.register(FormerPatient)(OfPatient)
    patients(Patient)

    assert [one.key for one in recipients.all_types()] == ["host.patient", "host.formerpatient"]
    assert all(one.get_queryset().count() == 3 for one in recipients.all_types())
