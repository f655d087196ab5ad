"""People whose addresses look alike are different people, on every database."""

import pytest

from massmail_plugin.audience.members import add_members
from massmail_plugin.recipients import consent, for_model
from massmail_plugin.recipients.addresses import parse_address
from massmail_plugin.recipients.models import EmailAddress
from sandbox.crm.models import Contact
from tests import builders

ALIKE = [
    ("jose@customers.example", "josé@customers.example"),
    ("strasse@customers.example", "straße@customers.example"),
    ("o@customers.example", "ø@customers.example"),
    ("ivan@customers.example", "ıvan@customers.example"),
    ("a@customers.example", "a\u200d@customers.example"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_addresses_that_look_alike_have_a_row_each(one, other):
    first, second = (EmailAddress.objects.create(key=key) for key in (one, other))

    assert EmailAddress.objects.get(key=one) == first
    assert EmailAddress.objects.get(key=other) == second
    assert set(EmailAddress.objects.filter(key__in=[one])) == {first}


@pytest.mark.django_db
def test_people_whose_addresses_look_alike_get_a_mail_each():
    builders.an_account()
    people = [builders.a_contact(email) for pair in ALIKE[:3] for email in pair]

    run = builders.start_now(builders.a_mailing(to=people))

    assert run.deliveries.filter(state="queued").count() == len(people)


@pytest.mark.django_db
def test_who_opts_out_does_so_for_nobody_else():
    builders.an_account()
    jose, other = (builders.a_contact(email) for email in ALIKE[0])
    address, _created = EmailAddress.objects.get_or_create(key=parse_address(other.email).key)
    consent.opt_out(address, [consent.Scope()], consent.How("operator"))

    run = builders.start_now(builders.a_mailing(to=[jose, other]))

    assert builders.states_by_address(run) == {jose.email: "queued", other.email: "skipped"}


@pytest.mark.django_db
def test_records_are_told_by_every_letter_of_their_keys():
    page, kind = builders.a_target_list(), for_model(Contact)
    assert add_members(page, kind, ["A-1", "a-1", "ä-1", "a-1"]).new == 3
    assert page.members.count() == 3
