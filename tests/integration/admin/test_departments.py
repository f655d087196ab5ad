"""People see and use what belongs to their departments, and what belongs to none."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from massmail_plugin import preferences
from massmail_plugin.mailings.models import Campaign, Mailing
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, a_user, an_administrator
from tests.integration.admin.conftest import allow, refused
from tests.integration.admin.test_admin_permissions import TABLE

pytestmark = pytest.mark.django_db

EVERYTHING = (
    *(f"{verb}_{name}" for verb in ("view", "add", "change", "delete") for name in ("campaign", "mailing")),
    "send_mailing",
    "send_test_mailing",
)


@pytest.fixture
def departments(db: None) -> dict[str, Group]:
    made = {name: Group.objects.create(name=name) for name in ("Sales", "Support")}
    name_departments(*made.values())
    return made


def name_departments(*groups: Group) -> None:
    chosen = preferences.load()
    chosen.departments.set(groups)
    chosen.save()


def somebody_of(*groups: Group) -> Any:
    user = allow(a_user(), *EVERYTHING)
    user.groups.add(*groups)
    return user


def a_mailing_of(department: Group | None, name: str) -> Mailing:
    campaign = a_campaign(a_target_list(a_contact()), department=department, name=f"Campaign of {name}")
    return a_mailing(campaign=campaign, name=f"Mailing of {name}")


@pytest.fixture
def mailings(departments: dict[str, Group]) -> dict[str, Mailing]:
    return {
        "Sales": a_mailing_of(departments["Sales"], "Sales"),
        "Support": a_mailing_of(departments["Support"], "Support"),
        "everybody": a_mailing_of(None, "everybody"),
    }


@pytest.fixture
def nora(departments: dict[str, Group], signed_in: Any) -> Any:
    return signed_in(somebody_of(departments["Sales"]))


def page(client: Any, name: str, *args: Any, query: str = "") -> str:
    response = client.get(reverse(name, args=args) + query)
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.parametrize("screen", ["campaigns", "mailings"])
@pytest.mark.parametrize("index", ["index", "index_results"])
def test_listings_hold_what_is_within_reach(nora: Any, mailings: Any, screen: str, index: str) -> None:
    text = page(nora, f"massmail_{screen}:{index}")

    assert "of Sales" in text
    assert "of everybody" in text
    assert "of Support" not in text


def test_no_address_of_another_department_answers(nora: Any, mailings: Any) -> None:
    """Every address of a campaign or a mailing, seen and pressed by who may do everything to their own."""
    own, foreign = mailings["Sales"], mailings["Support"]
    wrong = []
    for name, about, method, _who in TABLE:
        if about not in ("campaign", "mailing"):
            continue
        for mailing, expected in ((foreign, True), (own, False)):
            pk = mailing.pk if about == "mailing" else mailing.campaign_id
            # The own one is only looked at: pressing would change it.
            if method == "get" or expected:
                response = getattr(nora, method)(reverse(name, args=[pk]))
                if refused(response) is not expected:
                    wrong.append(f"{method} {name} of {mailing}: {response.status_code}")
    assert wrong == []
    assert set(Mailing.objects.values_list("state", flat=True)) == {"draft"}


def test_a_colleague_of_the_department_may_send_a_draft_and_others_may_not(
    nora: Any, mailings: Any, departments: Any, signed_in: Any
) -> None:
    author = somebody_of(departments["Sales"])
    Mailing.objects.update(owner=author)
    tom = signed_in(somebody_of(departments["Support"]))
    send = reverse("massmail_mailings:send", args=[mailings["Sales"].pk])

    assert nora.get(send).status_code == 200
    assert refused(tom.get(send))
    assert refused(tom.post(send))


def test_administrators_and_company_managers_reach_all(
    mailings: Any, departments: Any, signed_in: Any
) -> None:
    manager = somebody_of(departments["Sales"])
    manager.user_permissions.add(Permission.objects.get(codename="work_for_every_department"))
    for client in (signed_in(manager), signed_in(an_administrator())):
        assert "of Support" in page(client, "massmail_mailings:index")
        assert client.get(reverse("massmail_mailings:edit", args=[mailings["Support"].pk])).status_code == 200


def test_who_is_in_no_department_sees_what_is_everybodys(mailings: Any, signed_in: Any) -> None:
    text = page(signed_in(somebody_of()), "massmail_mailings:index")

    assert "of everybody" in text
    assert "of Sales" not in text


def test_a_new_campaign_belongs_to_its_authors_department(nora: Any, departments: Any) -> None:
    form = nora.get(reverse("massmail_campaigns:add")).context["form"]
    field = form.fields["department"]

    assert form.instance.department == departments["Sales"]
    assert list(field.queryset) == [departments["Sales"]]
    assert not field.required


def test_nothing_can_be_given_to_a_department_that_one_is_not_in(
    nora: Any, mailings: Any, departments: Any
) -> None:
    campaign = mailings["Sales"].campaign
    data = {"name": "x", "kind": "email", "department": departments["Support"].pk}
    data |= {f"tracking_urls-{key}_FORMS": 0 for key in ("TOTAL", "INITIAL", "MIN_NUM")}
    response = nora.post(reverse("massmail_campaigns:edit", args=[campaign.pk]), data)

    assert "department" in response.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.department == departments["Sales"]


def test_a_mailing_cannot_be_moved_into_another_departments_campaign(nora: Any, mailings: Any) -> None:
    form = nora.get(reverse("massmail_mailings:edit", args=[mailings["Sales"].pk])).context["form"]
    names = {campaign.name for campaign in form.fields["campaign"].queryset}

    assert names == {"Campaign of Sales", "Campaign of everybody"}
    new = nora.get(reverse("massmail_mailings:add") + f"?campaign={mailings['Support'].campaign_id}")
    assert new.context["form"].instance.campaign_id is None


def test_filters_name_nobody_and_nothing_of_others(nora: Any, mailings: Any) -> None:
    Mailing.objects.filter(pk=mailings["Support"].pk).update(owner=a_user("tom-of-support"))
    text = page(nora, "massmail_mailings:index")

    assert "Campaign of Support" not in text
    assert "tom-of-support" not in text


def test_a_project_without_departments_is_not_asked(nora: Any, departments: Any) -> None:
    name_departments()
    form = nora.get(reverse("massmail_campaigns:add")).context["form"]

    assert "department" not in form.fields
    assert "Department" not in page(nora, "massmail_campaigns:index")


def test_a_group_that_is_no_department_any_more_keeps_its_campaigns(
    nora: Any, mailings: Any, signed_in: Any
) -> None:
    """Nothing opens to everybody because a box was unticked."""
    name_departments()

    assert "of Sales" in page(nora, "massmail_mailings:index")
    assert "of Sales" not in page(signed_in(somebody_of()), "massmail_mailings:index")


def test_what_a_deleted_department_leaves_opens_to_nobody(
    nora: Any, mailings: Any, departments: Any, administrator: Any
) -> None:
    administrator.post(reverse("wagtailusers_groups:delete", args=[departments["Sales"].pk]))

    assert not Group.objects.filter(name="Sales").exists()
    assert str(Campaign.objects.get(name="Campaign of Sales").department) == "Former departments"
    assert "of Sales" not in page(nora, "massmail_mailings:index")
    assert "of Sales" in page(administrator, "massmail_mailings:index")


def test_the_start_page_tells_of_ones_own(nora: Any, mailings: Any) -> None:
    Mailing.objects.update(state="paused")
    text = nora.get(reverse("wagtailadmin_home")).content.decode()

    assert "Mailing of Sales" in text
    assert "Mailing of Support" not in text


def test_listings_ask_no_more_for_more_rows(nora: Any, departments: Any) -> None:
    from tests.integration.admin.conftest import Counting

    count = Counting(nora)
    for name in ("massmail_campaigns:index", "massmail_mailings:index"):
        a_mailing_of(departments["Sales"], "Sales")
        few = count(reverse(name))
        for _ in range(5):
            a_mailing_of(departments["Sales"], "Sales")
        assert count(reverse(name)) == few
