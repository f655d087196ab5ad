"""Mailings whose people come from segments: who gets them, and what happens when nobody can say who is in one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.mailings import actions, starting
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing, Run
from massmail_plugin.mailings.preflight import check
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact, Lead
from tests.builders import a_campaign, a_contact, a_mailing, a_segment, a_target_list, an_account, start_now

pytestmark = pytest.mark.django_db

QUEUED = ("queued", "")


@pytest.fixture(autouse=True)
def _people() -> None:
    an_account()
    for name, city in (("ada", "Dublin"), ("bob", "Dublin"), ("eve", "Cork")):
        a_contact(f"{name}@example.org", city=city)
    Lead.objects.create(last_name="Bob", email=" BOB@example.org", city="Galway")


def a_campaign_to(**sources: list[Any]) -> Campaign:
    campaign = a_campaign()
    for name, chosen in sources.items():
        getattr(campaign, name).set(chosen)
    campaign.save()
    return Campaign.objects.get(pk=campaign.pk)


def verdicts(run: Run) -> dict[str, tuple[str, str]]:
    rows = Delivery.objects.filter(run=run).values_list("email", "state", "reason")
    return {email.strip().lower(): (state, reason) for email, state, reason in rows}


def sent(mailing: Mailing) -> Mailing:
    """Everybody got it an hour ago."""
    start_now(mailing)
    at = timezone.now() - timedelta(hours=1)
    Delivery.objects.filter(run__mailing=mailing, state=DeliveryState.QUEUED).update(
        state=DeliveryState.ACCEPTED, handed_at=at
    )
    return mailing


def test_a_mailing_goes_to_who_is_in_the_segment_when_it_starts() -> None:
    campaign = a_campaign_to(segments=[a_segment(city="Dublin")])
    mailing = a_mailing(campaign=campaign)
    a_contact("late@example.org", city="Dublin")

    assert verdicts(start_now(mailing)) == dict.fromkeys(
        ["ada@example.org", "bob@example.org", "late@example.org"], QUEUED
    )


def test_segments_lists_and_live_lists_overlap_and_nobody_gets_two() -> None:
    page = a_target_list(Contact.objects.get(email="eve@example.org"))
    page.live_segments.set([a_segment(city="Dublin"), a_segment(Lead)])
    page.save()
    campaign = a_campaign_to(target_lists=[page], segments=[a_segment()])

    run = start_now(a_mailing(campaign=campaign))
    queued = Delivery.objects.filter(run=run, state=DeliveryState.QUEUED)
    assert sorted(queued.values_list("address__key", flat=True)) == [
        "ada@example.org",
        "bob@example.org",
        "eve@example.org",
    ]


def test_who_is_in_an_excluded_segment_gets_nothing_under_any_record_with_the_address() -> None:
    campaign = a_campaign_to(segments=[a_segment()], excluded_segments=[a_segment(Lead, city="Galway")])

    run = start_now(a_mailing(campaign=campaign))
    assert verdicts(run)["bob@example.org"] == ("skipped", Reason.EXCLUDED)
    assert verdicts(run)["ada@example.org"] == QUEUED


def test_a_second_mailing_to_those_who_were_never_mailed_goes_to_the_others() -> None:
    sent(a_mailing(campaign=a_campaign_to(segments=[a_segment(city="Dublin")])))
    campaign = a_campaign_to(segments=[a_segment(behaviour={"mailed": {"when": "never"}})])

    assert verdicts(start_now(a_mailing(campaign=campaign))) == {"eve@example.org": QUEUED}


def test_a_reminder_goes_to_those_who_got_the_first_and_did_not_open_it() -> None:
    first = sent(a_mailing(campaign=a_campaign_to(segments=[a_segment(city="Dublin")])))
    opened = Delivery.objects.get(run__mailing=first, email="ada@example.org")
    opened.events.create(kind="opened", at=timezone.now(), dedupe_key="x")
    asked = {"reaction": {"what": "not_opened", "mailing": first.pk}}
    campaign = a_campaign_to(segments=[a_segment(behaviour=asked)])

    assert verdicts(start_now(a_mailing(campaign=campaign))) == {"bob@example.org": QUEUED}


def test_who_opted_out_of_a_segment_gets_nothing_to_it() -> None:
    segment = a_segment(city="Dublin")
    address = EmailAddress.objects.create(key="ada@example.org")
    consent.opt_out(address, [segment.consent_scope], consent.How(ConsentEvent.Method.LINK))

    run = start_now(a_mailing(campaign=a_campaign_to(segments=[segment])))
    assert verdicts(run)["ada@example.org"] == ("skipped", Reason.OPTED_OUT_LIST)


@pytest.mark.parametrize("role", ["segments", "excluded_segments", "live"])
def test_a_segment_that_cannot_be_used_stops_the_mailing_before_anybody_gets_it(role: str) -> None:
    broken = a_segment(city="Cork", name="Irish")
    page = a_target_list(Contact.objects.first())
    if role == "live":
        page.live_segments.set([broken])
        page.save()
    campaign = a_campaign_to(target_lists=[page], **({role: [broken]} if role != "live" else {}))
    mailing = a_mailing(campaign=campaign)
    actions.release(mailing)
    Segment.objects.filter(pk=broken.pk).update(criteria={"planet": ["Mars"]})
    mailing.refresh_from_db()

    assert any("“Irish” cannot be used" in problem for problem in check(mailing, starting=True).problems)
    assert starting.start(mailing) is None
    assert not Delivery.objects.exists()
    mailing.refresh_from_db()
    assert "“Irish” cannot be used" in mailing.notice
