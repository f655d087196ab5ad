"""Somebody of one department who writes the numbers of another department's things into forms and addresses."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from massmail_plugin import preferences
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from sandbox.crm.people import Owner
from sandbox.crm.staff import load_staff
from tests.builders import a_campaign, a_contact, a_mailing, a_segment, a_target_list, an_account, start_now
from tests.integration.audience.test_department_folders import a_folder, a_list_in

pytestmark = pytest.mark.django_db

CAMPAIGN = {
    "name": "Spring",
    "kind": "newsletter",
    "tracking_urls-TOTAL_FORMS": 0,
    "tracking_urls-INITIAL_FORMS": 0,
}


@pytest.fixture
def staff() -> dict[str, Owner]:
    made = {owner.department.name: owner for owner in load_staff()}
    chosen = preferences.load()
    chosen.departments.set([owner.department for owner in made.values()])
    chosen.save()
    return made


@pytest.fixture
def nora(staff: dict[str, Owner], signed_in: Any) -> Any:
    a_list_in(a_folder("Sales", staff["Sales"].department), "Buyers")
    return signed_in(staff["Sales"].user)


def arrived(mailing: Mailing) -> None:
    start_now(mailing)
    Delivery.objects.filter(run__mailing=mailing).update(state=DeliveryState.ACCEPTED)


@pytest.fixture
def theirs(staff: dict[str, Owner]) -> dict[str, Any]:
    """What Support has: a list, a campaign, and a mailing that was sent."""
    an_account()
    support: Group = staff["Support"].department
    people = a_list_in(a_folder("Support", support), "Complaints of Support")
    campaign = a_campaign(people, department=support, name="Campaign of Support")
    sent = a_mailing(campaign=campaign, name="Mailing of Support")
    arrived(sent)
    return {"list": people, "campaign": campaign, "mailing": sent}


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("target_lists", "list"),
        ("excluded_lists", "list"),
        ("excluded_mailings", "mailing"),
    ],
)
def test_a_campaign_takes_nothing_of_theirs(nora: Any, theirs: dict[str, Any], field: str, kind: str) -> None:
    own = TargetListPage.objects.get(title="Buyers")
    form = {**CAMPAIGN, "target_lists": [own.pk]}
    response = nora.post(reverse("massmail_campaigns:add"), {**form, field: [theirs[kind].pk]})

    assert not Campaign.objects.filter(name="Spring").exists()
    assert "of Support" not in response.content.decode()
    nora.post(reverse("massmail_campaigns:add"), form)
    assert Campaign.objects.filter(name="Spring").exists(), "It was the number that was refused."


def test_a_mailing_is_not_put_into_their_campaign(nora: Any, theirs: dict[str, Any], own: Mailing) -> None:
    form = {"name": "Mine", "campaign": theirs["campaign"].pk, "template": theirs["mailing"].template_id}
    form |= {"owner": nora.user.pk, "in_doubt": "hold"}
    nora.post(reverse("massmail_mailings:add"), form)
    assert not Mailing.objects.filter(name="Mine").exists()
    nora.post(reverse("massmail_mailings:add"), {**form, "campaign": own.campaign_id})
    assert Mailing.objects.filter(name="Mine").exists(), "It was the number that was refused."


@pytest.fixture
def own(staff: dict[str, Owner], theirs: dict[str, Any]) -> Mailing:
    sent = a_mailing(campaign=a_campaign(a_target_list(a_contact()), department=staff["Sales"].department))
    arrived(sent)
    return sent


def test_a_segment_does_not_tell_of_their_mailings_nor_who_opened_them(
    nora: Any, theirs: dict[str, Any], own: Mailing
) -> None:
    url = reverse("massmail_segments:add_of_type", args=["crm.contact"])
    count = reverse("massmail_segments:count", args=["crm.contact"])
    form = {"name": "Readers", "description": "", "reaction-what": "not_opened"}
    of_theirs = {**form, "reaction-mailing": theirs["mailing"].pk}

    assert "of Support" not in nora.get(url).content.decode()
    assert "of Support" not in nora.post(url, of_theirs).content.decode()
    assert "1</strong> person" not in nora.post(count, of_theirs).content.decode()
    assert not Segment.objects.exists()
    assert "1</strong> person" in nora.post(count, {**form, "reaction-mailing": own.pk}).content.decode()
    nora.post(url, {**form, "reaction-mailing": own.pk})
    assert Segment.objects.exists()


def test_a_segment_that_asks_about_their_mailing_can_still_be_renamed(
    nora: Any, theirs: dict[str, Any]
) -> None:
    asked = {"reaction": {"what": "opened", "mailing": theirs["mailing"].pk}}
    segment = a_segment(behaviour=asked)
    form = {"name": "Renamed", "description": "", "reaction-what": "opened"}
    form["reaction-mailing"] = theirs["mailing"].pk
    nora.post(reverse("massmail_segments:edit", args=[segment.pk]), form)

    segment.refresh_from_db()
    assert segment.name == "Renamed"
