"""Erased people: nothing is known of them but that they must not be mailed."""

from __future__ import annotations

import pytest
from django.test import override_settings

from massmail_plugin.recipients import consent, erased
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ErasurePepper, ListOptOut

pytestmark = pytest.mark.django_db

ADA, BOB = "ada@customers.example", "bob@customers.example"
HOW = How(ConsentEvent.Method.OPERATOR, reason="Asked for it by letter")


def test_the_address_stands_nowhere_any_more() -> None:
    address = EmailAddress.objects.create(key=ADA, invalid_reason=f"550 {ADA} unknown")
    proof = {"ip": "192.0.2.7", "user_agent": "Ada's browser"}
    consent.opt_out(address, [Scope("list:7", "News")], How("link", reason="Ada Byron", proof=proof))

    row = erased.erase_address(ADA, HOW)

    assert row.pk == address.pk, "What hangs on the address must not be lost."
    assert row.erased_since
    # Not by the first name alone: a hash in hexadecimal may well hold "ada".
    assert ADA not in repr(EmailAddress.objects.filter(pk=row.pk).values().get()).lower()
    told = repr(list(ConsentEvent.objects.values()))
    assert "192.0.2.7" not in told
    assert "Ada" not in told
    assert list(row.consent_events.values_list("kind", flat=True)) == ["erased", "opt_out"]
    assert not ListOptOut.objects.exists()


def test_an_erased_person_is_not_mailable() -> None:
    assert not erased.erase_address(ADA, HOW).is_mailable
    assert str(erased.erase_address(BOB, HOW)) == "erased person"


def test_an_address_is_known_to_be_erased_in_every_form_that_has_its_key() -> None:
    assert erased.erased_keys([ADA]) == set()
    erased.erase_address(ADA, HOW)
    assert erased.erased_keys([ADA, BOB]) == {ADA}
    assert erased.erased_keys(f"person{n}@customers.example" for n in range(1200)) == set()
    assert erased.erased_keys([*(f"person{n}@customers.example" for n in range(1200)), ADA]) == {ADA}


def test_as_long_as_nobody_was_erased_it_costs_one_query(django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        erased.erased_keys(f"person{n}@customers.example" for n in range(5000))


def test_it_stays_known_when_the_keys_of_the_site_are_exchanged() -> None:
    erased.erase_address(ADA, HOW)
    with override_settings(SECRET_KEY="another", MASSMAIL={"SECRET_KEYS": ["new"]}):
        assert erased.erased_keys([ADA]) == {ADA}


def test_another_site_cannot_recognise_the_hash() -> None:
    first = erased.erase_address(ADA, HOW).key
    ErasurePepper.objects.all().delete()
    assert erased.erase_address(ADA, HOW).key != first


def test_erasing_somebody_who_came_in_again_leaves_both_erased() -> None:
    first = erased.erase_address(ADA, HOW)
    EmailAddress.objects.create(key=ADA)

    second = erased.erase_address(ADA, HOW)

    assert first.pk != second.pk
    assert erased.erased_keys([ADA]) == {ADA}
    assert not EmailAddress.objects.filter(key=ADA).exists()
    assert EmailAddress.objects.filter(erased_since__isnull=False).count() == 2


@pytest.mark.parametrize("is_known_again", [False, True])
def test_who_signs_up_anew_is_known_again(is_known_again: bool) -> None:
    erased.erase_address(ADA, HOW)
    if is_known_again:
        EmailAddress.objects.create(key=ADA)

    erased.come_back(ADA)

    assert erased.erased_keys([ADA]) == set()
    address = EmailAddress.objects.get(key=ADA)
    assert not address.erased_since
    assert address.opted_out_since, "Nobody knows any more what they had left before."


def test_coming_back_changes_nobody_else() -> None:
    erased.come_back(ADA)
    erased.erase_address(ADA, HOW)
    erased.come_back(BOB)
    assert erased.erased_keys([ADA]) == {ADA}
