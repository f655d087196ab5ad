"""A no covers what it was said to, under whatever name the same people come again."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from massmail_plugin import preferences, recipients
from massmail_plugin.audience import joining
from massmail_plugin.audience.carrying import Carried, copy_people, move_people
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.segments.people import people_of
from massmail_plugin.audience.standing import standing_of
from massmail_plugin.delivery.ledger import claiming, fence
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.feedback import erasing
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.models import SenderAccount
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import ELSEWHERE, ConsentEvent, EmailAddress
from sandbox.crm.models import Contact, Lead
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_segment,
    a_target_list,
    a_user,
    an_account,
    an_administrator,
    start_now,
)

QUEUED = ("queued", "")
LEFT = ("skipped", Reason.OPTED_OUT_LIST)


@pytest.fixture(autouse=True)
def account():
    return an_account()


def leaves(email: str, source: Any) -> None:
    address, _new = EmailAddress.objects.get_or_create(key=email)
    consent.opt_out(address, [source.consent_scope], How(ConsentEvent.Method.LINK))


def verdicts(run: Run) -> dict[str, tuple[str, str]]:
    rows = Delivery.objects.filter(run=run).values_list("email", "state", "reason")
    return {email.strip(): (state, reason) for email, state, reason in rows}


@pytest.fixture
def dubliners():
    a_contact("anna@example.org", city="Dublin")
    a_contact("bob@example.org", city="Dublin")
    return a_segment(city="Dublin")


def a_list_with_live(segment):
    page = a_target_list()
    page.live_segments.set([segment])
    page.save()
    return page


@pytest.mark.django_db
def test_who_left_a_segment_is_not_brought_into_a_list_by_it(dubliners) -> None:
    leaves("anna@example.org", dubliners)
    page = a_list_with_live(dubliners)

    run = start_now(a_mailing(campaign=a_campaign(page)))
    assert verdicts(run) == {"anna@example.org": LEFT, "bob@example.org": QUEUED}
    assert [scope.key for scope in run.opt_out_scopes] == [page.consent_scope.key], "The link names the list."


@pytest.mark.django_db
def test_who_left_a_live_segment_is_shown_as_that_among_the_members_too(dubliners) -> None:
    anna = a_contact("anna@example.org")
    page = a_target_list(anna)
    page.live_segments.set([dubliners])
    page.save()
    leaves("anna@example.org", dubliners)

    assert standing_of(page).reason("crm.contact", str(anna.pk)) == Reason.OPTED_OUT_LIST


@pytest.mark.django_db(transaction=True)
def test_the_fence_holds_who_leaves_a_live_segment_in_the_meantime(account, dubliners) -> None:
    start_now(a_mailing(campaign=a_campaign(a_list_with_live(dubliners))))
    claimed = claiming.claim(account, 2)
    leaves("anna@example.org", dubliners)

    passed = fence.commit_to_send(claimed)
    assert [one.email for one in claimed if one.pk in passed] == ["bob@example.org"]
    anna = next(one for one in claimed if one.pk not in passed)
    entry = outcomes.entry_for(anna, Outcome(Verdict.FENCED))
    assert (entry.state, entry.reason) == (DeliveryState.SKIPPED, Reason.OPTED_OUT_LIST)


@pytest.mark.django_db(transaction=True)
def test_who_signs_up_for_the_list_later_gets_it_and_nothing_more(account, dubliners) -> None:
    leaves("anna@example.org", dubliners)
    page = a_list_with_live(dubliners)
    joining.join(page, "anna@example.org", How(ConsentEvent.Method.SIGN_UP))

    campaign = a_campaign()
    campaign.segments.set([dubliners])
    campaign.save()
    assert verdicts(start_now(a_mailing(campaign=campaign)))["anna@example.org"] == LEFT
    Delivery.objects.all().delete()
    assert verdicts(start_now(a_mailing(campaign=a_campaign(page))))["anna@example.org"] == QUEUED
    claimed = claiming.claim(account, 2)
    assert fence.commit_to_send(claimed) == {one.pk for one in claimed}


@pytest.mark.django_db
def test_an_undo_of_another_no_lifts_no_opt_out_of_a_live_segment(dubliners) -> None:
    page = a_list_with_live(dubliners)
    leaves("anna@example.org", dubliners)
    address = EmailAddress.objects.get()
    consent.opt_in(address, [page.consent_scope], How(ConsentEvent.Method.UNDO))

    assert verdicts(start_now(a_mailing(campaign=a_campaign(page))))["anna@example.org"] == LEFT


@pytest.mark.django_db
def test_who_left_a_segment_stays_behind_when_it_is_copied_into_a_list(client, dubliners) -> None:
    a_contact(" ANNA@Example.org ", city="Dublin")
    leaves("anna@example.org", dubliners)
    client.force_login(an_administrator())
    page = a_target_list()

    url = reverse("massmail_segments:copy_people", args=[dubliners.pk])
    assert "2 people have opted out" in client.get(url).content.decode()
    client.post(url, {"target_list": page.pk, "number": 1})
    run = start_now(a_mailing(campaign=a_campaign(page)))
    assert verdicts(run) == {"bob@example.org": QUEUED}


@pytest.mark.django_db
@pytest.mark.parametrize("carry", [copy_people, move_people])
def test_who_gets_nothing_from_a_list_because_they_left_its_segment_is_not_carried_on(
    carry, dubliners
) -> None:
    anna = Contact.objects.get(email="anna@example.org")
    source, target = a_target_list(anna, a_contact("eve@example.org")), a_target_list()
    source.live_segments.set([dubliners])
    source.save()
    leaves("anna@example.org", dubliners)

    assert carry(source, target) == Carried(new=1, stayed=1)
    assert verdicts(start_now(a_mailing(campaign=a_campaign(target)))) == {"eve@example.org": QUEUED}


@pytest.fixture
def archived(monkeypatch):
    """The host mails nobody any more who is archived: here, whose city says so."""
    of_contact: Any = recipients.for_model(Contact)
    hidden = Contact.objects.exclude(city="archived")
    monkeypatch.setattr(of_contact, "get_queryset", lambda: hidden.all())
    return a_contact("anna@example.org", city="archived")


@pytest.mark.django_db
def test_a_type_of_which_the_host_mails_nobody_now_keeps_nobody_else_from_a_mailing(monkeypatch) -> None:
    page = a_target_list(
        a_contact("anna@example.org"), Lead.objects.create(last_name="Lea", email="lea@example.org")
    )
    of_contact: Any = recipients.for_model(Contact)
    monkeypatch.setattr(of_contact, "get_queryset", Contact.objects.none)

    assert verdicts(start_now(a_mailing(campaign=a_campaign(page)))) == {"lea@example.org": QUEUED}


@pytest.mark.django_db
def test_who_is_kept_out_by_a_record_stays_out_when_the_record_is_archived(archived) -> None:
    lead = Lead.objects.create(last_name="Anna", email="Anna@example.org")
    lists = {"excluding": [a_target_list(archived)]}
    campaign = a_campaign(a_target_list(lead, a_contact("bob@example.org")), **lists)

    run = start_now(a_mailing(campaign=campaign))
    assert verdicts(run) == {"Anna@example.org": ("skipped", Reason.EXCLUDED), "bob@example.org": QUEUED}


@pytest.mark.django_db
def test_who_has_left_stays_behind_with_an_archived_record_too(archived) -> None:
    source, target = a_target_list(archived, a_contact()), a_target_list()
    leaves("anna@example.org", source)

    assert copy_people(source, target) == Carried(new=1, stayed=1)


@pytest.mark.django_db
def test_erasing_ends_the_membership_of_an_archived_record(archived) -> None:
    page = a_target_list(archived)

    assert erasing.erase("anna@example.org", How(ConsentEvent.Method.OPERATOR)).memberships == 1
    assert not page.members.exists()


@pytest.mark.django_db
def test_who_signs_up_comes_in_although_their_record_is_archived(archived) -> None:
    page = a_target_list(archived)
    joining.join(page, "anna@example.org", How(ConsentEvent.Method.SIGN_UP))

    run = start_now(a_mailing(campaign=a_campaign(page)))
    assert verdicts(run) == {"anna@example.org": QUEUED}


@pytest.mark.django_db
@pytest.mark.parametrize("is_member", [False, True])
def test_who_signs_up_gets_it_although_their_record_is_a_colleagues(is_member: bool) -> None:
    chosen = preferences.load()
    chosen.whose_records = preferences.MailPreferences.WhoseRecords.OWN
    chosen.save()
    alice, bob = a_user(), a_user()
    anna = a_contact("anna@example.org", assigned_to=bob)
    page = a_target_list(*[anna] if is_member else [])
    for _again in range(2):
        joining.join(page, "Anna@example.org", How(ConsentEvent.Method.SIGN_UP), name="Anna")

    assert (
        verdicts(start_now(a_mailing(campaign=a_campaign(page), owner=alice)))["Anna@example.org"] == QUEUED
    )
    assert page.members.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("record", "sent_to"),
    [
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("ANNA@Bücher.EXAMPLE", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example", "Anna@Bücher.example"),
        ("jörg@example.org", "JÖRG@example.org"),
        ("anna@example.org\n", "Anna@example.org"),
    ],
)
def test_a_segment_finds_who_was_mailed_under_another_record_however_it_is_spelled(
    record: str, sent_to: str
) -> None:
    lead = Lead.objects.create(last_name="Anna", email=sent_to)
    start_now(a_mailing(to=[lead]))
    Delivery.objects.update(state=DeliveryState.ACCEPTED, handed_at=timezone.now())
    mailed = a_contact(record)
    other = a_contact("bob@bücher.example")

    assert list(people_of(a_segment(behaviour={"mailed": {"when": "never"}}))) == [other]
    since = {"mailed": {"when": "since", "days": "3"}}
    assert list(people_of(a_segment(behaviour=since))) == [mailed]


def comes_back_to(email: str, page: Any) -> EmailAddress:
    """Leave everything, and sign up to one list."""
    address, _new = EmailAddress.objects.get_or_create(key=email)
    consent.opt_out(address, [consent.Scope()], How(ConsentEvent.Method.LINK))
    return joining.join(page, email, How(ConsentEvent.Method.SIGN_UP))


@pytest.mark.django_db
def test_who_came_back_to_one_list_gets_none_that_is_made_later() -> None:
    anna, bob = a_contact("anna@example.org"), a_contact("bob@example.org")
    news = a_target_list(title="News")
    comes_back_to("anna@example.org", news)
    later = a_target_list(anna, bob, title="Later")

    run = start_now(a_mailing(campaign=a_campaign(later)))

    assert verdicts(run) == {"anna@example.org": LEFT, "bob@example.org": QUEUED}
    assert verdicts(start_now(a_mailing(campaign=a_campaign(news)))) == {"anna@example.org": QUEUED}
    both = start_now(a_mailing(campaign=a_campaign(news, later)))
    assert verdicts(both) == {"anna@example.org": LEFT, "bob@example.org": QUEUED}, (
        "As of any list that one left."
    )


@pytest.mark.django_db(transaction=True)
def test_who_leaves_everything_and_comes_back_meanwhile_does_not_pass_the_fence() -> None:
    later = a_target_list(a_contact("anna@example.org"), a_contact("bob@example.org"))
    start_now(a_mailing(campaign=a_campaign(later)))
    claimed = claiming.claim(SenderAccount.objects.get(), 2)
    comes_back_to("anna@example.org", a_target_list(title="News"))

    allowed = fence.commit_to_send(claimed)

    assert [one.email for one in claimed if one.pk in allowed] == ["bob@example.org"]
    [annas] = [one for one in claimed if one.pk not in allowed]
    entry = outcomes.entry_for(annas, Outcome(Verdict.FENCED))
    assert (entry.state, entry.reason) == LEFT


@pytest.mark.django_db
def test_a_wish_from_before_somebody_left_everything_counts_no_more() -> None:
    people = [a_contact("anna@example.org"), a_contact("bob@example.org")]
    old, news = a_target_list(*people, title="Old"), a_target_list(title="News")
    joining.join(old, "anna@example.org", How(ConsentEvent.Method.SIGN_UP))
    comes_back_to("anna@example.org", news)
    run = start_now(a_mailing(campaign=a_campaign(old)))
    assert verdicts(run) == {"anna@example.org": LEFT, "bob@example.org": QUEUED}


@pytest.mark.django_db
def test_an_operator_may_take_the_no_to_all_others_back_with_a_reason() -> None:
    anna = a_contact("anna@example.org")
    address = comes_back_to("anna@example.org", a_target_list(title="News"))
    later = a_target_list(anna, title="Later")
    how = How(ConsentEvent.Method.OPERATOR, "Asked for it on the phone.")
    consent.opt_in(address, [consent.Scope(ELSEWHERE)], how)
    assert verdicts(start_now(a_mailing(campaign=a_campaign(later)))) == {"anna@example.org": QUEUED}
