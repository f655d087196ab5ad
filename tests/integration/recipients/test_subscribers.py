"""People who are known only to mass mailing."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from massmail_plugin import recipients
from massmail_plugin.recipients.addresses import MalformedAddress
from massmail_plugin.recipients.models import Subscriber
from massmail_plugin.recipients.subscribers import ensure_subscriber

pytestmark = pytest.mark.django_db


def test_subscribers_are_mailable_without_any_registration_by_the_host() -> None:
    ensure_subscriber("Ada@Example.org", name="Ada", language="de")

    kind = recipients.for_model(Subscriber)
    assert kind is not None
    (row,) = kind.rows(kind.get_queryset())
    assert (row.name, row.email) == ("Ada", "Ada@Example.org")
    assert kind.merge_values(Subscriber.objects.get()) == {"name": "Ada"}


def test_the_hosts_own_types_are_offered_first() -> None:
    assert recipients.all_types()[-1].model is Subscriber


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ada@example.org", " ADA@EXAMPLE.ORG "),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("josé@example.org", "jose\u0301@example.org"),
    ],
)
def test_one_address_is_one_subscriber_in_all_its_spellings(first: str, second: str) -> None:
    one, new = ensure_subscriber(first)
    same, again = ensure_subscriber(second)

    assert (new, again) == (True, False)
    assert one.pk == same.pk
    assert Subscriber.objects.get().email == first


def test_similar_addresses_are_different_people() -> None:
    # A tolerant collation takes these for one.
    for email in ("jose@example.org", "josé@example.org", "strasse@example.org", "straße@example.org"):
        assert ensure_subscriber(email)[1]
    assert Subscriber.objects.count() == 4


def test_what_was_known_stays_and_what_was_not_is_filled_in() -> None:
    ensure_subscriber("ada@example.org", name="Ada")
    subscriber, _new = ensure_subscriber("ada@example.org", name="Somebody else", language="fr")

    assert (subscriber.name, subscriber.language) == ("Ada", "fr")
    subscriber.refresh_from_db()
    assert (subscriber.name, subscriber.language) == ("Ada", "fr")


def test_text_that_is_no_address_is_refused() -> None:
    with pytest.raises(MalformedAddress):
        ensure_subscriber("ada at example.org")
    with pytest.raises(MalformedAddress):
        Subscriber(email="ada").save()
    assert not Subscriber.objects.exists()


def test_long_names_are_cut_and_long_spellings_replaced() -> None:
    # 258 letters as written, 254 in ASCII lower-case: full-width forms and white space vanish.
    local = "a" * 60
    email = f"{local}@{'b' * 60}.{'c' * 60}.example"
    subscriber, _new = ensure_subscriber(f"   {email}   ", name="x" * 500)

    assert subscriber.email == email
    assert len(subscriber.name) == 255


def test_the_database_itself_refuses_a_second_row() -> None:
    ensure_subscriber("ada@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscriber.objects.create(email="ADA@example.org")
