"""Figures are those of the mailing as it is; they are worked out anew where that may make a difference."""

from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin.audience.audiences import Audience, Stage
from massmail_plugin.audience.members import add_members, remove_members
from massmail_plugin.mailings import actions, freeze, people, starting
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.people import count_people
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.preferences import MailPreferences
from massmail_plugin.recipients import consent, for_model
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_segment,
    a_target_list,
    a_user,
    an_account,
    start_now,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def long_lists(monkeypatch):
    """Everything takes longer than anybody waits in front of a screen."""
    monkeypatch.setattr(people, "PATIENCE_SECONDS", -1)


@pytest.fixture
def draft():
    an_account()
    people_in_it = [a_contact("ada@customers.example"), a_contact("bob@customers.example")]
    return a_mailing(campaign=a_campaign(a_target_list(*people_in_it, title="Customers")))


def _fresh(mailing):
    return Mailing.objects.get(pk=mailing.pk)


def _got(*records):
    """A mailing that these have got."""
    run = start_now(a_mailing(campaign=a_campaign(a_target_list(*records))))
    run.deliveries.update(state=DeliveryState.ACCEPTED)
    return run.mailing


def _other_list(mailing):
    mailing.campaign.target_lists.set([a_target_list(a_contact("eve@customers.example"))])
    mailing.campaign.save()


def _excluded_list(mailing):
    mailing.campaign.excluded_lists.set([a_target_list(Contact.objects.get(email="ada@customers.example"))])
    mailing.campaign.save()


def _excluded_mailing(mailing):
    mailing.campaign.excluded_mailings.set([_got(Contact.objects.get(email="ada@customers.example"))])
    mailing.campaign.save()


def _other_owner(mailing):
    MailPreferences.objects.update_or_create(defaults={"whose_records": "own"})
    owner = a_user()
    an_account(owner=owner)
    Contact.objects.filter(email="ada@customers.example").update(assigned_to=owner)
    Mailing.objects.filter(pk=mailing.pk).update(owner=owner)


CHANGES = [
    (_other_list, ["eve@customers.example"]),
    (_excluded_list, ["bob@customers.example"]),
    (_excluded_mailing, ["bob@customers.example"]),
    (_other_owner, ["ada@customers.example"]),
]


@pytest.mark.usefixtures("long_lists")
@pytest.mark.parametrize("complete", [True, False], ids=["counted", "being counted"])
@pytest.mark.parametrize(("change", "who"), CHANGES)
def test_long_lists_are_counted_anew_when_the_mailing_is_another(draft, change, who, complete):
    count_people(draft)
    if complete:
        people.go_on_counting(lambda: False)
        assert count_people(draft).is_complete
    change(draft)
    count_people(_fresh(draft))
    people.go_on_counting(lambda: False)

    audience = count_people(_fresh(draft))
    assert audience.is_complete
    assert list(audience.candidates.filter(reason="", excluded=False).values_list("email", flat=True)) == who


@pytest.mark.usefixtures("long_lists")
@pytest.mark.parametrize("live", [True, False], ids=["live in the list", "of the campaign"])
def test_long_lists_are_counted_anew_when_a_segment_asks_for_others(draft, live):
    segment = a_segment(city="Rome")
    where = draft.campaign.target_lists.get() if live else draft.campaign
    (where.live_segments if live else where.segments).set([segment])
    where.save()
    count_people(_fresh(draft))
    people.go_on_counting(lambda: False)
    kept = count_people(_fresh(draft))

    segment.criteria = {"city": ["Oslo"]}
    segment.save()

    assert kept.is_complete
    assert count_people(_fresh(draft)).pk != kept.pk


@pytest.mark.usefixtures("long_lists")
def test_long_lists_stay_counted_and_say_that_somebody_has_left(draft):
    count_people(draft)
    people.go_on_counting(lambda: False)
    kept = count_people(_fresh(draft))
    assert not kept.has_changed
    ada = EmailAddress.objects.create(key="ada@customers.example")
    consent.opt_out(ada, [Scope()], How(ConsentEvent.Method.OPERATOR))

    again = count_people(_fresh(draft))

    assert (again.pk, again.counts, again.has_changed) == (kept.pk, {"": 2}, True)
    Audience.objects.update(completed_at=timezone.now() - timedelta(hours=1))
    assert count_people(_fresh(draft)).pk != kept.pk


def _opts_out(mailing):
    bob = EmailAddress.objects.create(key="bob@customers.example")
    consent.opt_out(bob, [Scope()], How(ConsentEvent.Method.OPERATOR))


def _is_taken_out(mailing):
    target_list = mailing.campaign.target_lists.get()
    remove_members(target_list, [target_list.members.order_by("pk").first().pk])


def _is_added(mailing):
    contact_type = for_model(Contact)
    add_members(mailing.campaign.target_lists.get(), contact_type, [a_contact("new@customers.example").pk])


@pytest.mark.parametrize("change", [_opts_out, _is_taken_out, _is_added])
def test_who_looks_twice_reads_the_same_figures_unless_something_has_changed(draft, change):
    first = count_people(draft, at_a_glance=True)
    assert count_people(_fresh(draft), at_a_glance=True).pk == first.pk
    change(draft)
    assert count_people(_fresh(draft), at_a_glance=True).pk != first.pk


def test_what_was_counted_some_time_ago_and_what_is_about_to_be_sent_is_counted_anew(draft):
    first = count_people(draft, at_a_glance=True)
    second = count_people(_fresh(draft))
    assert second.pk != first.pk
    assert count_people(_fresh(draft), at_send=True).pk != second.pk
    Audience.objects.update(completed_at=timezone.now() - timedelta(minutes=2))
    latest = Audience.objects.get().pk
    assert count_people(_fresh(draft), at_a_glance=True).pk != latest


def test_a_change_of_the_excluded_mailings_between_two_steps_skips_no_rule(draft):
    """Rules are known by their places, so that those of an audience must stay as they were."""
    ada, bob = Contact.objects.order_by("pk")
    older, newer = _got(ada), _got(bob)
    campaign = draft.campaign
    campaign.excluded_mailings.set([older, newer])
    campaign.save()
    a_target_list_of = campaign.target_lists.get()
    add_members(a_target_list_of, for_model(Contact), [a_contact("eve@customers.example").pk])
    draft = _fresh(draft)
    actions.release(draft)

    def newer_is_judged():
        audience = Audience.objects.get(subject__startswith="run:")
        return (
            audience.stage == Stage.JUDGING
            and audience.candidates.filter(reason="already_got", detail=str(newer)).exists()
        )

    assert starting.start(draft, stop=lambda: Audience.objects.exists() and newer_is_judged()) is None
    campaign.excluded_mailings.set([older])
    campaign.save()
    run = starting.start(_fresh(draft))

    assert run is not None
    assert list(run.deliveries.filter(reason="").values_list("email", flat=True)) == ["eve@customers.example"]
    assert freeze.how_far(_fresh(draft)) == ""
