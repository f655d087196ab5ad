"""The sandbox's people: the awkward ones are there as they are, and loading again changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Model

from massmail_plugin.recipients.addresses import MalformedAddress, parse_address
from sandbox.crm import awkward
from sandbox.crm.models import Account, Contact, Lead, Ticket
from sandbox.crm.people import load_people
from sandbox.crm.staff import load_staff

KINDS: tuple[type[Model], ...] = (Account, Contact, Lead, Ticket)
RESERVED = ("example", "test", "invalid")

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> None:
    load_people(load_staff())


def everybody() -> dict[str, list[tuple[Any, ...]]]:
    """Everything about everybody that does not depend on row numbers."""
    numbers = {"id", "company_id", "requester_id", "assigned_to_id", "department_id"}
    found = {}
    for kind in KINDS:
        columns = [field.attname for field in kind._meta.concrete_fields if field.attname not in numbers]
        found[kind.__name__] = list(kind._default_manager.order_by("import_key").values_list(*columns))
    return found


def is_mailable(email: str) -> bool:
    try:
        parse_address(email)
    except MalformedAddress:
        return False
    return True


@pytest.mark.parametrize("case", awkward.ALL, ids=lambda case: case.what)
def test_each_case_is_as_mailable_as_it_says(case: awkward.Awkward) -> None:
    assert is_mailable(case.email) == case.mailable


@pytest.mark.parametrize("group", [awkward.SAME_ADDRESS, awkward.SAME_IDN_ADDRESS])
def test_all_spellings_of_one_address_are_one_address(group: tuple[awkward.Awkward, ...]) -> None:
    assert len({parse_address(case.email).key for case in group}) == 1
    assert len({case.email for case in group}) > 1


@pytest.mark.usefixtures("people")
class TestPeople:
    def test_there_are_about_three_thousand(self) -> None:
        assert 2900 <= sum(len(rows) for rows in everybody().values()) <= 3100

    def test_awkward_contacts_are_stored_letter_for_letter(self) -> None:
        stored = Contact.objects.filter(tags="awkward").order_by("import_key")

        wanted = [(case.first_name, case.last_name.strip(), case.email) for case in awkward.ALL]
        assert list(stored.values_list("first_name", "last_name", "email")) == wanted

    def test_no_mail_could_ever_reach_a_real_person(self) -> None:
        emails = [*Account.objects.values_list("email", flat=True)]
        emails += [*Contact.objects.values_list("email", flat=True)]
        emails += [*Lead.objects.values_list("email", flat=True)]
        emails += [*Ticket.objects.values_list("requester_email", flat=True)]

        domains = {parse_address(email).envelope.rpartition(".")[2] for email in emails if is_mailable(email)}

        assert domains == set(RESERVED)

    def test_one_address_is_in_several_models(self) -> None:
        contacts = set(Contact.objects.exclude(email="").values_list("email", flat=True))

        assert Ticket.objects.filter(requester_email__in=contacts).exists()

    def test_some_have_no_owner_and_some_no_first_name(self) -> None:
        for kind in (Contact, Lead):
            assert 0 < kind._default_manager.filter(assigned_to=None).count() < kind._default_manager.count()
            assert kind._default_manager.filter(first_name="").exists()


@pytest.mark.usefixtures("people")
class TestLoadingAgain:
    def test_adds_nobody(self) -> None:
        before = everybody()

        created = load_people(load_staff())

        assert set(created.values()) == {0}
        assert everybody() == before

    def test_makes_the_same_people_each_time(self) -> None:
        before = everybody()
        for kind in reversed(KINDS):
            kind._default_manager.all().delete()

        load_people(load_staff())

        assert everybody() == before

    def test_keeps_what_was_changed_and_what_was_added_by_hand(self) -> None:
        changed = Contact.objects.order_by("import_key")[0]
        Contact.objects.filter(pk=changed.pk).update(email="moved@elm-print.example", city="Cork")
        mine = Contact.objects.create(first_name="Made", last_name="By Hand", email="hand@elm-print.example")

        load_people(load_staff())

        changed.refresh_from_db()
        mine.refresh_from_db()
        assert (changed.email, changed.city) == ("moved@elm-print.example", "Cork")
        assert mine.full_name() == "Made By Hand"

    def test_brings_back_only_who_is_missing(self) -> None:
        gone = Contact.objects.filter(import_key="X00003")
        email = gone.get().email
        gone.delete()

        created = load_people(load_staff())

        assert created == {"accounts": 0, "contacts": 1, "leads": 0, "tickets": 0}
        assert gone.get().email == email


def test_the_command_runs_twice() -> None:
    call_command("load_sandbox", verbosity=0)
    before = everybody()

    call_command("load_sandbox", verbosity=0)

    assert everybody() == before
