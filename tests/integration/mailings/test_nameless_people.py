"""Who may not mail somebody does not read who that is: not before a mailing starts, and not in its log."""

import pytest
from django.urls import reverse

from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.people import count_people
from massmail_plugin.preferences import MailPreferences
from massmail_plugin.recipients import for_model
from sandbox.crm.models import Contact
from tests.builders import a_contact, a_mailing, a_user, an_account, start_now

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["in the database", "in Python"])
def mailing(request, monkeypatch):
    """Alice's, to a contact of hers and to two of Bob's, one of whom has the address of hers."""
    if request.param == "in Python":
        monkeypatch.setattr(for_model(Contact), "sql_name", lambda: None)
    MailPreferences.objects.update_or_create(defaults={"whose_records": "own"})
    alice, bob = a_user("alice"), a_user("bob")
    an_account()
    people = [
        a_contact("secret@bob.example", first_name="Bobs", last_name="Secret", assigned_to=bob),
        a_contact("ADA@customers.example", first_name="Bobs", last_name="Ada", assigned_to=bob),
        a_contact("ada@customers.example", first_name="Alices", last_name="Ada", assigned_to=alice),
    ]
    return a_mailing(to=people, owner=alice)


def test_other_peoples_contacts_are_counted_without_name_and_address(mailing, admin_client):
    people = count_people(mailing).candidates.order_by("pk")
    rows = people.values_list("name", "email", "key", "reason")

    assert list(rows) == [
        ("", "", "secret@bob.example", "not_yours"),
        ("", "", "ada@customers.example", "not_yours"),
        ("Alices Ada", "ada@customers.example", "ada@customers.example", ""),
    ]
    for page in ("people", "send"):
        html = admin_client.get(reverse(f"massmail_mailings:{page}", args=[mailing.pk])).content.decode()
        assert "Alices Ada" in html or page == "send"
        assert "Bobs" not in html
        assert "bob.example" not in html


def test_the_log_does_not_name_them_and_the_address_keeps_its_one_place(mailing):
    start_now(mailing)
    rows = Delivery.objects.order_by("pk").values_list("name", "email", "envelope", "address__key", "state")

    assert list(rows) == [
        ("", "", "", "secret@bob.example", "skipped"),
        ("", "", "", None, "skipped"),
        ("Alices Ada", "ada@customers.example", "ada@customers.example", "ada@customers.example", "queued"),
    ]
