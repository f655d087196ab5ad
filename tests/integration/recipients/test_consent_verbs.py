"""What people have said about being mailed, how it is kept, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models import ProtectedError

from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ListOptOut
from tests.builders import a_target_list, a_user

pytestmark = pytest.mark.django_db

Kind, Method = ConsentEvent.Kind, ConsentEvent.Method
HOW = How(Method.LINK)
NEWS, OFFERS = Scope("list:1", "News"), Scope("list:2", "Offers")


@pytest.fixture
def ada(db: None) -> EmailAddress:
    return EmailAddress.objects.create(key="ada@example.org")


def state_of(address: EmailAddress) -> tuple[bool, bool, bool]:
    """Return whether the address is (opted out, invalid, complained) now."""
    address.refresh_from_db()
    return bool(address.opted_out_since), bool(address.invalid_since), bool(address.complained_since)


def test_opting_out_of_everything_and_in_again(ada: EmailAddress) -> None:
    consent.opt_out(ada, [Scope()], HOW)
    assert state_of(ada) == (True, False, False)
    assert not ada.is_mailable

    consent.opt_in(ada, [Scope()], HOW)
    assert state_of(ada) == (False, False, False)
    assert ada.is_mailable


def test_opting_out_of_one_list_leaves_the_others_and_all_mailings(ada: EmailAddress) -> None:
    consent.opt_out(ada, [NEWS], HOW)

    assert state_of(ada) == (False, False, False)
    assert list(ListOptOut.objects.values_list("scope", flat=True)) == ["list:1"]


def test_opting_in_to_one_list_takes_back_only_that(ada: EmailAddress) -> None:
    consent.opt_out(ada, [NEWS, OFFERS, Scope()], HOW)
    consent.opt_in(ada, [NEWS], HOW)

    assert list(ListOptOut.objects.values_list("scope", flat=True)) == ["list:2"]
    assert state_of(ada) == (True, False, False)


def test_opting_out_of_everything_is_not_taken_back_by_opting_in_to_a_list(ada: EmailAddress) -> None:
    consent.opt_out(ada, [Scope()], HOW)
    consent.opt_in(ada, [NEWS], HOW)

    assert not EmailAddress.objects.get().is_mailable


def test_saying_it_twice_keeps_the_first_date_and_records_both(ada: EmailAddress) -> None:
    consent.opt_out(ada, [NEWS, Scope()], HOW)
    ada.refresh_from_db()
    first, first_of_list = ada.opted_out_since, ListOptOut.objects.get().since
    consent.opt_out(ada, [NEWS, Scope()], HOW)
    ada.refresh_from_db()

    assert (ada.opted_out_since, ListOptOut.objects.get().since) == (first, first_of_list)
    assert ConsentEvent.objects.filter(kind=Kind.OPT_OUT).count() == 4


def test_a_complaint_opts_out_of_everything_and_opting_in_does_not_undo_it(ada: EmailAddress) -> None:
    consent.record_complaint(ada, HOW)
    assert state_of(ada) == (True, False, True)

    consent.opt_in(ada, [Scope()], HOW)
    assert state_of(ada) == (False, False, True)
    assert not ada.is_mailable


def test_a_complaint_keeps_the_date_of_an_earlier_opt_out(ada: EmailAddress) -> None:
    consent.opt_out(ada, [Scope()], HOW)
    ada.refresh_from_db()
    opted_out_since = ada.opted_out_since
    consent.record_complaint(ada, HOW)
    ada.refresh_from_db()

    assert ada.opted_out_since == opted_out_since


def test_a_bounce_is_kept_with_its_first_reason_until_somebody_says_otherwise(ada: EmailAddress) -> None:
    consent.mark_invalid(ada, How(Method.PROVIDER, reason="550 no such user " + "x" * 600))
    consent.mark_invalid(ada, How(Method.PROVIDER, reason="another"))
    ada.refresh_from_db()
    assert ada.invalid_reason.startswith("550 no such user")
    assert len(ada.invalid_reason) == 500

    consent.mark_valid(ada, How(Method.OPERATOR))
    ada.refresh_from_db()
    assert (ada.invalid_since, ada.invalid_reason, ada.is_mailable) == (None, "", True)


def test_a_mailbox_that_works_again_has_not_opted_in(ada: EmailAddress) -> None:
    consent.opt_out(ada, [Scope()], HOW)
    consent.mark_invalid(ada, HOW)
    consent.mark_valid(ada, HOW)

    assert state_of(ada) == (True, False, False)


def test_each_event_says_what_when_how_and_by_whom(ada: EmailAddress) -> None:
    operator = a_user()
    how = How(Method.OPERATOR, reason="called us", actor=operator, proof={"phone": "+1 555 0100"})
    consent.opt_out(ada, [NEWS], how)
    event = ConsentEvent.objects.get()

    assert (event.kind, event.scope, event.scope_label, event.method) == (
        Kind.OPT_OUT,
        "list:1",
        "News",
        "operator",
    )
    assert (event.actor, event.reason, event.proof) == (operator, "called us", {"phone": "+1 555 0100"})
    assert event.at is not None


@pytest.mark.parametrize(
    "verb",
    [consent.mark_invalid, consent.mark_valid, consent.record_complaint],
)
def test_every_verb_leaves_an_event(ada: EmailAddress, verb: Callable[[EmailAddress, How], None]) -> None:
    verb(ada, HOW)

    assert ConsentEvent.objects.filter(address=ada).count() == 1


def test_consent_outlives_its_list_and_its_operator(ada: EmailAddress) -> None:
    people, operator = a_target_list(title="News"), a_user()
    consent.opt_out(ada, [people.consent_scope], How(Method.OPERATOR, actor=operator))
    people.delete()
    operator.delete()
    event = ConsentEvent.objects.get()

    assert (event.scope_label, event.actor) == ("News", None)
    assert ListOptOut.objects.filter(address=ada).exists()


def test_an_address_with_a_history_cannot_be_deleted(ada: EmailAddress) -> None:
    consent.opt_out(ada, [Scope()], HOW)

    with pytest.raises(ProtectedError):
        ada.delete()


def test_other_addresses_are_not_touched(ada: EmailAddress) -> None:
    bob = EmailAddress.objects.create(key="bob@example.org")
    consent.record_complaint(ada, HOW)
    consent.mark_invalid(ada, HOW)
    consent.opt_out(ada, [NEWS], HOW)

    assert state_of(bob) == (False, False, False)
    assert not bob.list_opt_outs.exists()
