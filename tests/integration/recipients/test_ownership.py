"""Whose records somebody may mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError

from massmail_plugin import preferences, recipients
from massmail_plugin.preferences import MailPreferences
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records
from massmail_plugin.recipients.ownership import theirs
from sandbox.crm.models import Contact
from tests.builders import a_contact, a_user, an_administrator
from tests.host.models import Patient

pytestmark = pytest.mark.django_db

WHOSE = MailPreferences.WhoseRecords


class Contacts(RecipientType):
    owner = "assigned_to"
    department = "department"


class ContactsOfOwnersGroups(RecipientType):
    owner = "assigned_to"
    department = "assigned_to__groups"


class Patients(RecipientType):
    email = "person__email"
    owner = "doctors"
    department = "wards"


class Ownerless(RecipientType):
    """Belongs to nobody, whatever the rule is."""


@pytest.fixture
def sales(db: None) -> Group:
    return Group.objects.create(name="Sales")


@pytest.fixture
def rule(sales: Group) -> Callable[[str], None]:
    """Return a function that sets the preference; Sales is a department, other groups are none."""

    def set_rule(whose: str) -> None:
        chosen = preferences.load()
        chosen.whose_records = whose
        chosen.departments.set([sales])
        chosen.save()

    return set_rule


def names(recipient_type: RecipientType, user: Any) -> list[str]:
    records = recipient_type.get_queryset().filter(theirs(recipient_type, user))
    return sorted(str(record) for record in records)


@pytest.fixture
def nora(sales: Group) -> Any:
    """Nora of Sales, who has one contact; a colleague, a stranger and nobody have the others."""
    nora, colleague, stranger = a_user("nora"), a_user("colleague"), a_user("stranger")
    everybody, support = Group.objects.create(name="Everybody"), Group.objects.create(name="Support")
    nora.groups.add(sales, everybody)
    colleague.groups.add(sales, everybody)
    stranger.groups.add(support, everybody)
    for name, owner, department in (
        ("Own", nora, None),
        ("Colleagues", colleague, sales),
        ("Strangers", stranger, support),
        ("Nobodys", None, None),
        ("Shared", stranger, sales),
    ):
        a_contact(first_name="", last_name=name, assigned_to=owner, department=department)
    return nora


EVERYBODY = ["Colleagues", "Nobodys", "Own", "Shared", "Strangers"]


@pytest.mark.parametrize(
    ("whose", "kind", "expected"),
    [
        (WHOSE.EVERYBODYS, Contacts, EVERYBODY),
        (WHOSE.OWN, Contacts, ["Own"]),
        (WHOSE.DEPARTMENTS, Contacts, ["Colleagues", "Own", "Shared"]),
        # Everybody is in the group Everybody, which is no department.
        (WHOSE.DEPARTMENTS, ContactsOfOwnersGroups, ["Colleagues", "Own"]),
        (WHOSE.OWN, Ownerless, EVERYBODY),
        (WHOSE.DEPARTMENTS, Ownerless, EVERYBODY),
    ],
)
def test_the_rule_says_whose_records_are_theirs(
    rule: Callable[[str], None], nora: Any, whose: str, kind: type[RecipientType], expected: list[str]
) -> None:
    rule(whose)

    assert names(kind(Contact), nora) == expected


@pytest.mark.parametrize("whose", [WHOSE.OWN, WHOSE.DEPARTMENTS])
def test_what_is_not_theirs_is_the_rest(rule: Callable[[str], None], nora: Any, whose: str) -> None:
    """Also records of nobody: SQL's NULL must not swallow them."""
    rule(whose)
    of = Contacts(Contact)
    rest = Contact.objects.exclude(theirs(of, nora))

    assert sorted([*names(of, nora), *(str(record) for record in rest)]) == EVERYBODY


@pytest.mark.parametrize("whose", [WHOSE.OWN, WHOSE.DEPARTMENTS])
def test_administrators_and_who_has_the_permission_mail_everybody(
    rule: Callable[[str], None], nora: Any, whose: str
) -> None:
    rule(whose)
    nora.user_permissions.add(Permission.objects.get(codename="mail_everybodys_records"))
    nora = type(nora).objects.get(pk=nora.pk)

    assert names(Contacts(Contact), nora) == EVERYBODY
    assert names(Contacts(Contact), an_administrator()) == EVERYBODY


@pytest.mark.parametrize("whose", [WHOSE.OWN, WHOSE.DEPARTMENTS])
def test_nothing_belongs_to_who_is_gone(rule: Callable[[str], None], nora: Any, whose: str) -> None:
    rule(whose)
    nora.is_active = False

    assert names(Contacts(Contact), nora) == []
    assert names(Contacts(Contact), None) == []


def test_a_record_of_several_owners_and_departments_is_there_once(
    rule: Callable[[str], None], nora: Any, sales: Group
) -> None:
    marketing = Group.objects.create(name="Marketing")
    nora.groups.add(marketing)
    patient, _other = Patient.objects.create(number="P/1"), Patient.objects.create(number="P/2")
    patient.doctors.add(nora, a_user())
    patient.wards.add(sales, marketing)
    rule(WHOSE.DEPARTMENTS)
    chosen = preferences.load()
    chosen.departments.add(marketing)
    chosen.save()

    assert names(Patients(Patient), nora) == ["P/1"]


def test_who_chooses_people_sees_only_theirs(rule: Callable[[str], None], nora: Any) -> None:
    registered: Any = recipients.for_model(Contact)
    nora.user_permissions.add(Permission.objects.get(codename="view_contact"))
    rule(WHOSE.OWN)

    assert [str(record) for record in choosable_records(nora, registered)] == ["Own"]


def test_the_departments_rule_wants_departments(sales: Group) -> None:
    chosen = preferences.load()
    chosen.whose_records = WHOSE.DEPARTMENTS
    with pytest.raises(ValidationError, match="Tick the departments first"):
        chosen.full_clean()
    chosen.departments.set([sales])
    chosen.full_clean()
