"""The mail that is shown before Send is one that somebody gets: not of the first name, but of the first recipient."""

import pytest

from massmail_plugin.mailings.first_person import first_person
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.preferences import MailPreferences
from massmail_plugin.recipients import consent, for_model
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.erased import erase_address
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact, Lead
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_segment,
    a_target_list,
    a_user,
    an_account,
    an_editor,
    contacts,
    start_now,
)

pytestmark = pytest.mark.django_db

LINK = How(ConsentEvent.Method.LINK)


def _email_of(campaign, *, owner=None, viewer=None):
    found = first_person(a_mailing(campaign=campaign, owner=owner), viewer)
    return found and found[1].email


def _each_only_their_own():
    MailPreferences.objects.update_or_create(defaults={"whose_records": "own"})


def test_who_is_left_out_is_passed_over():
    nobody, malformed = a_contact(), a_contact("no-at-sign")
    type(nobody).objects.filter(pk=nobody.pk).update(email="")
    gone, left, kept_out, twin = (
        a_contact(f"{name}@example.org") for name in ("gone", "left", "out", "twin")
    )
    address = EmailAddress.objects.create(key="gone@example.org")
    consent.opt_out(address, [Scope()], LINK)
    people = a_target_list(nobody, malformed, gone, left, kept_out, twin, a_contact("ada@example.org"))
    consent.opt_out(EmailAddress.objects.create(key="left@example.org"), [people.consent_scope], LINK)
    excluding = [a_target_list(kept_out, a_contact("TWIN@example.org"))]
    assert _email_of(a_campaign(people, excluding=excluding)) == "ada@example.org"


def test_who_has_had_an_earlier_mailing_is_passed_over():
    an_account()
    ada, bob = a_contact("ada@example.org"), a_contact("bob@example.org")
    earlier = a_mailing(to=[ada])
    start_now(earlier).deliveries.update(state=DeliveryState.ACCEPTED)
    campaign = a_campaign(a_target_list(ada, bob))
    assert _email_of(campaign) == "ada@example.org"
    campaign.excluded_mailings.set([earlier])
    campaign.save()
    assert _email_of(campaign) == "bob@example.org"


def test_when_nobody_gets_it_anybody_will_do():
    assert _email_of(a_campaign(a_target_list())) is None
    gone = a_contact("gone@example.org")
    consent.opt_out(EmailAddress.objects.create(key="gone@example.org"), [Scope()], LINK)
    assert _email_of(a_campaign(a_target_list(gone))) == "gone@example.org"


def test_a_large_list_costs_no_more_than_a_small_one(django_assert_max_num_queries):
    mailing = a_mailing(to=contacts(200))
    with django_assert_max_num_queries(20):
        found = first_person(mailing, None)
    assert found[1].email == "person1@customers.example"


def test_each_part_that_is_excluded_is_asked_about_many_at_once(django_assert_max_num_queries):
    excluded = [a_target_list(*contacts(45), a_contact(f"more{n}@example.org")) for n in range(3)]
    everybody = [member.object_id for member in excluded[0].members.all()]
    people = a_target_list(*Contact.objects.filter(pk__in=everybody), a_contact("ada@example.org"))
    mailing = a_mailing(campaign=a_campaign(people, excluding=excluded))
    with django_assert_max_num_queries(40):
        found = first_person(mailing, None)
    assert found[1].email == "ada@example.org"


@pytest.mark.parametrize("viewer_is_owner", [True, False])
def test_nobody_is_shown_a_contact_that_is_not_theirs(viewer_is_owner):
    alice, bob = an_editor(), a_user("bob")
    bobs = a_contact("his@example.org", assigned_to=bob)
    hers = a_contact("hers@example.org", assigned_to=alice)
    _each_only_their_own()
    owner = alice if viewer_is_owner else None
    assert _email_of(a_campaign(a_target_list(bobs, hers)), owner=alice, viewer=alice) == "hers@example.org"
    # Nor when there is nobody else to show.
    assert _email_of(a_campaign(a_target_list(bobs)), owner=owner, viewer=alice) is None


def test_who_may_see_no_contacts_is_shown_none():
    assert _email_of(a_campaign(a_target_list(*contacts(1))), viewer=a_user()) is None


def test_what_the_host_hides_from_somebody_is_not_shown_to_them(monkeypatch):
    hidden, shown = a_contact("hidden@example.org"), a_contact("shown@example.org")
    everybody_else = Contact.objects.exclude(pk=hidden.pk)
    monkeypatch.setattr(type(for_model(Contact)), "choosable_by", lambda self, user: everybody_else)
    assert _email_of(a_campaign(a_target_list(hidden, shown)), viewer=an_editor()) == "shown@example.org"
    assert _email_of(a_campaign(a_target_list(hidden)), viewer=an_editor()) is None


def test_who_was_erased_is_not_shown_even_if_nobody_else_is_there():
    erased, ada = a_contact("erased@example.org"), a_contact("ada@example.org")
    erase_address("erased@example.org", LINK)
    assert _email_of(a_campaign(a_target_list(erased, ada))) == "ada@example.org"
    assert _email_of(a_campaign(a_target_list(erased))) is None


def test_the_first_person_comes_from_whatever_can_be_used():
    ada = a_contact("ada@example.org")
    campaign = a_campaign()
    campaign.segments.set([a_segment(planet="Mars"), a_segment(Lead), a_segment()])
    campaign.save()
    assert _email_of(campaign) == ada.email
