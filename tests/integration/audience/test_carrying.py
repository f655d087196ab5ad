"""From one list to another: nobody twice, nobody lost, and nobody who has left is reached under another name."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from massmail_plugin import recipients
from massmail_plugin.audience import carrying
from massmail_plugin.audience.carrying import Carried, copy_people, move_people
from massmail_plugin.audience.members import remove_members
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.standing import standing_of
from massmail_plugin.recipients.consent import How, opt_out
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from massmail_plugin.recipients.subscribers import ensure_subscriber
from sandbox.crm.models import Contact
from tests.builders import a_contact, a_target_list, a_user, contacts

pytestmark = pytest.mark.django_db


def leaves(contact: Contact, target_list: TargetListPage) -> None:
    key = contact.email.strip().lower()
    address, _new = EmailAddress.objects.get_or_create(key=key)
    opt_out(address, [target_list.consent_scope], How(ConsentEvent.Method.LINK))


def ids(target_list: TargetListPage) -> list[str]:
    return sorted(target_list.members.values_list("object_id", flat=True))


def test_copied_people_are_in_both_lists_once() -> None:
    ada, bob = a_contact(), a_contact()
    source, target = a_target_list(ada, bob), a_target_list(bob)
    user = a_user()

    assert copy_people(source, target, added_by=user) == Carried(new=1, already=1)
    assert copy_people(source, target) == Carried(already=2)
    assert ids(source) == ids(target) == sorted([str(ada.pk), str(bob.pk)])
    assert target.members.get(object_id=str(ada.pk)).added_by == user


def test_moved_people_are_in_the_other_list_only() -> None:
    ada, bob, carl = a_contact(), a_contact(), a_contact()
    source, target = a_target_list(ada, bob, carl), a_target_list(bob)
    chosen = source.members.filter(object_id__in=[ada.pk, bob.pk])

    assert move_people(source, target, chosen) == Carried(new=1, already=1)
    assert ids(source) == [str(carl.pk)]
    assert ids(target) == sorted([str(ada.pk), str(bob.pk)])


@pytest.mark.parametrize("carry", [copy_people, move_people])
def test_who_has_left_a_list_stays_behind_under_any_spelling(carry) -> None:
    gone, also_gone, ada = a_contact("gone@example.org"), a_contact(" GONE@Example.org "), a_contact()
    source, target = a_target_list(gone, also_gone, ada), a_target_list()
    leaves(gone, source)

    assert carry(source, target) == Carried(new=1, stayed=2)
    assert ids(target) == [str(ada.pk)]
    assert {str(gone.pk), str(also_gone.pk)} <= set(ids(source))


@pytest.mark.parametrize("carry", [copy_people, move_people])
def test_a_list_that_everybody_has_left_carries_nobody(carry) -> None:
    gone = a_contact()
    source, target = a_target_list(gone), a_target_list()
    leaves(gone, source)

    assert carry(source, target) == Carried(stayed=1)
    assert ids(source) == [str(gone.pk)]


def test_who_has_left_the_other_list_does_not_come_back() -> None:
    ada = a_contact("ada@example.org")
    source, target = a_target_list(ada), a_target_list(ada)
    leaves(ada, target)
    remove_members(target, target.members.all())
    copy_people(source, target)

    assert standing_of(target).reason("crm.contact", str(ada.pk)) == "opted_out_list"


def test_only_members_of_the_source_are_carried() -> None:
    source, target, other = a_target_list(a_contact()), a_target_list(), a_target_list(a_contact())

    assert move_people(source, target, other.members.all()) == Carried()
    assert other.members.count() == 1


def test_people_of_types_that_the_host_has_dropped_are_not_lost() -> None:
    source, target = a_target_list(), a_target_list()
    for object_id in ("1", "2"):
        source.members.create(recipient_type="crm.gone", object_id=object_id)
    move_people(source, target)

    assert set(target.members.values_list("recipient_type", "object_id")) == {
        ("crm.gone", "1"),
        ("crm.gone", "2"),
    }
    assert not source.members.exists()


def test_many_people_of_several_types_are_moved() -> None:
    source, target = a_target_list(*contacts(1200)[:1100]), a_target_list()
    subscriber, _new = ensure_subscriber("sub@example.org")
    source.members.create(recipient_type="massmail_plugin.subscriber", object_id=str(subscriber.pk))

    assert move_people(source, target) == Carried(new=1101)
    assert TargetListMember.objects.count() == 1101


@pytest.mark.parametrize("carry", [copy_people, move_people])
def test_carrying_takes_the_same_number_of_statements_for_any_number_of_people(carry) -> None:
    def statements(number: int) -> int:
        source = a_target_list(*contacts(number, domain=f"{number}.example"))
        leaves(Contact.objects.get(email=f"person1@{number}.example"), source)
        target = a_target_list()
        with CaptureQueriesContext(connection) as captured:
            assert carry(source, target) == Carried(new=number - 1, stayed=1)
        return len(captured)

    statements(5)
    assert statements(1_500) == statements(6)


@pytest.mark.parametrize("carry", [copy_people, move_people])
def test_long_lists_are_carried_in_pieces(carry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "PORTION", 7)
    people = contacts(30)
    source, target = a_target_list(*people), a_target_list(*people[:4])
    for contact in people[10:20]:
        leaves(contact, source)

    assert carry(source, target) == Carried(new=16, already=4, stayed=10)
    assert len(ids(target)) == len(set(ids(target))) == 20
    assert len(ids(source)) == (10 if carry is move_people else 30)


@pytest.mark.parametrize("carry", [copy_people, move_people])
def test_a_hidden_record_of_somebody_who_has_left_stays_behind_too(
    carry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tomorrow the host may show it again."""
    gone, ada = a_contact("gone@example.org", city="Archive"), a_contact("ada@example.org")
    source, target = a_target_list(gone, ada), a_target_list()
    leaves(gone, source)
    contact_type = type(recipients.get("crm.contact"))
    monkeypatch.setattr(contact_type, "get_queryset", lambda self: Contact.objects.exclude(city="Archive"))

    assert carry(source, target) == Carried(new=1, stayed=1)
    assert ids(target) == [str(ada.pk)]


def test_who_has_left_stays_behind_with_whatever_white_space_a_host_has_kept() -> None:
    spelled = [f"gone@example.org{white}" for white in " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2003"]
    source, target = a_target_list(*map(a_contact, spelled)), a_target_list()
    gone = Contact.objects.get(email="gone@example.org ")
    leaves(gone, source)

    assert copy_people(source, target) == Carried(stayed=len(spelled))


@pytest.mark.parametrize("carry", [copy_people, move_people])
def test_a_list_that_everybody_has_left_is_carried_nowhere(carry) -> None:
    ada = a_contact()
    source, target = a_target_list(ada), a_target_list()
    leaves(ada, source)

    assert carry(source, target) == Carried(stayed=1)
    assert (ids(source), ids(target)) == ([str(ada.pk)], [])
