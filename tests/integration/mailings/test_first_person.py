"""The mail that is shown before Send is one that somebody gets: not of the first name, but of the first recipient."""

import pytest

from massmail_plugin.mailings.first_person import first_person
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, an_account, contacts, start_now

pytestmark = pytest.mark.django_db

LINK = How(ConsentEvent.Method.LINK)


def _email_of(campaign):
    found = first_person(campaign)
    return found and found[1].email


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
    assert first_person(a_campaign(a_target_list())) is None
    gone = a_contact("gone@example.org")
    consent.opt_out(EmailAddress.objects.create(key="gone@example.org"), [Scope()], LINK)
    assert _email_of(a_campaign(a_target_list(gone))) == "gone@example.org"


def test_a_large_list_costs_no_more_than_a_small_one(django_assert_max_num_queries):
    campaign = a_campaign(a_target_list(*contacts(200)))
    with django_assert_max_num_queries(20):
        assert _email_of(campaign) == "person1@customers.example"
