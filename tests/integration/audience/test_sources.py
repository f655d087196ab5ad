"""Lists and segments as what a mailing goes to: who is in them, each record once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from massmail_plugin.audience.segments.criteria import UnusableSegment
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.sources import parts_of, types_of, why_unusable_any
from massmail_plugin.models import TargetListPage
from sandbox.crm.models import Account, Contact, Lead
from tests.builders import a_campaign, a_contact, a_segment, a_target_list

pytestmark = pytest.mark.django_db


def live(*segments: Segment, members: tuple[Contact, ...] = ()) -> TargetListPage:
    page = a_target_list(*members)
    page.live_segments.set(segments)
    page.save()
    return TargetListPage.objects.get(pk=page.pk)


def in_parts(source: Segment | TargetListPage) -> dict[str, list[str]]:
    return {
        part.recipient_type.key: sorted(record.email for record in part.records) for part in parts_of(source)
    }


def test_a_segment_is_one_part() -> None:
    a_contact("ada@example.org", city="Dublin")
    a_contact("bob@example.org", city="Cork")

    assert in_parts(a_segment(city="Dublin")) == {"crm.contact": ["ada@example.org"]}


def test_a_list_holds_its_members_and_who_is_in_its_live_segments_each_once() -> None:
    ada = a_contact("ada@example.org", city="Dublin")
    bob = a_contact("bob@example.org", city="Cork")
    a_contact("eve@example.org", city="Dublin", language="de")
    Lead.objects.create(last_name="Lee", email="lee@example.org")
    page = live(a_segment(city="Dublin"), a_segment(language="de"), a_segment(Lead), members=(ada, bob))

    assert in_parts(page) == {
        "crm.contact": ["ada@example.org", "bob@example.org", "eve@example.org"],
        "crm.lead": ["lee@example.org"],
    }


def test_the_parts_can_be_filtered_and_counted_further() -> None:
    """What chooses the audience joins them and takes a page of them, in SQL."""
    ada, bob = a_contact("ada@example.org", city="Dublin"), a_contact("bob@example.org", city="Cork")
    [part] = parts_of(live(a_segment(city="Dublin"), members=(ada, bob)))

    assert part.records.count() == 2
    assert list(part.records.filter(city="Cork")) == [bob]
    assert list(part.records.order_by("-email")[:1]) == [bob]
    assert Contact.objects.filter(pk__in=part.records.values("pk")).exclude(pk=ada.pk).get() == bob


def test_uuids_and_numbers_can_both_be_joined_with_members() -> None:
    accounts = [Account.objects.create(name=name, email=f"{name}@example.org") for name in ("a", "b")]
    page = live(a_segment(Account), members=(accounts[0],))  # type: ignore[arg-type]

    assert in_parts(page) == {"crm.account": ["a@example.org", "b@example.org"]}


def test_asking_reads_nothing_of_the_host() -> None:
    page = live(a_segment(city="Dublin"), members=(a_contact(),))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        parts_of(page)
    assert not [each["sql"] for each in queries if "crm_contact" in each["sql"]]


def test_a_list_with_a_segment_that_cannot_be_used_cannot_be_used_either() -> None:
    broken = a_segment(name="Broken", planet="Mars")
    page = live(broken, members=(a_contact(),))

    with pytest.raises(UnusableSegment, match="Broken"):
        parts_of(page)
    # Said once, although it comes in two ways.
    [sentence] = why_unusable_any([page, broken, a_segment()])
    assert "“Broken” cannot be used" in sentence


def test_a_campaign_goes_to_its_lists_and_segments() -> None:
    campaign = a_campaign(a_target_list())
    kept, left_out = a_segment(), a_segment(Lead)
    campaign.segments.set([kept])
    campaign.excluded_segments.set([left_out])
    campaign.save()
    campaign.refresh_from_db()

    assert [source.consent_scope.key for source in campaign.sources()] == [
        campaign.target_lists.get().consent_scope.key,
        f"segment:{kept.pk}",
    ]
    assert campaign.excluded_sources() == [left_out]


def test_the_types_that_a_mail_may_go_to_are_those_of_members_and_segments() -> None:
    page = live(a_segment(Lead), members=(a_contact(),))

    assert [one.key for one in types_of([page, a_segment(Account)])] == [
        "crm.account",
        "crm.contact",
        "crm.lead",
    ]
