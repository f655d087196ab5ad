"""Copying, moving and merging, on the screens of a list; and from a campaign's log into a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from wagtail.models import PageLogEntry

from massmail_plugin import preferences
from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Campaign, Delivery
from massmail_plugin.recipients.consent import How, opt_out
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact, Lead
from tests.audiences import candidates_of
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
from tests.integration.audience.conftest import member_names, messages_of

pytestmark = pytest.mark.django_db

Submit = Callable[..., Any]
BY_LINK = How(ConsentEvent.Method.LINK)


def url_of(target_list: TargetListPage, what: str, query: str = "") -> str:
    return f"/admin/target-lists/{target_list.pk}/{what}/?{query}"


@pytest.fixture
def people() -> TargetListPage:
    return a_target_list(
        *(a_contact(f"{name}@example.org", first_name=name) for name in ("ada", "bob", "eve"))
    )


def test_everybody_found_is_moved_to_a_new_list_and_the_histories_say_so(
    submit: Submit, people: TargetListPage
) -> None:
    page = submit(url_of(people, "move", "q=ada&id=all"), new_list="Mathematicians")
    new = TargetListPage.objects.get(title="Mathematicians")

    assert "1 added to “Mathematicians”." in messages_of(page)
    assert (new.members.count(), people.members.count()) == (1, 2)
    logged = PageLogEntry.objects.filter(action__startswith="massmail.").values_list("page_id", "action")
    assert {(new.pk, "massmail.add_members"), (people.pk, "massmail.remove_members")} <= set(logged)


def test_the_ticked_are_copied_to_another_list(submit: Submit, people: TargetListPage) -> None:
    other = a_target_list(title="Other")
    rows = list(people.members.order_by("pk").values_list("pk", flat=True))[:2]
    page = submit(url_of(people, "copy", f"id={rows[0]}&id={rows[1]}"), target_list=other.pk)

    assert "2 added to “Other”." in messages_of(page)
    assert (other.members.count(), people.members.count()) == (2, 3)


def test_who_has_opted_out_stays_behind_and_it_is_said(submit: Submit, people: TargetListPage) -> None:
    opt_out(EmailAddress.objects.create(key="eve@example.org"), [people.consent_scope], BY_LINK)
    other = a_target_list(title="Other")
    page = submit(url_of(people, "move", "id=all"), target_list=other.pk)

    assert "1 stayed behind, having opted out of" in messages_of(page)
    assert (other.members.count(), people.members.count()) == (2, 1)


def test_a_list_is_not_carried_into_itself(browser: Client, people: TargetListPage) -> None:
    a_target_list()
    form = browser.get(url_of(people, "move", "id=all")).context["form"]

    assert people not in form.fields["target_list"].queryset


def test_a_selection_that_has_changed_is_asked_again(browser: Client, people: TargetListPage) -> None:
    other = a_target_list()
    page = browser.post(url_of(people, "move", "id=all"), {"number": 2, "target_list": other.pk})

    assert "it is 3 now" in page.content.decode()
    assert not other.members.exists()


def test_lists_are_merged_and_the_others_emptied_where_wanted(
    browser: Client, people: TargetListPage
) -> None:
    into, other = a_target_list(title="Into"), a_target_list(a_contact(), title="Other")
    page = browser.post(url_of(into, "merge"), {"lists": [people.pk, other.pk]}, follow=True)
    assert into.members.count() == 4
    assert "3 added to “Into”." in messages_of(page)

    browser.post(url_of(into, "merge"), {"lists": [people.pk, other.pk], "move": "on"})
    assert (into.members.count(), people.members.count(), other.members.count()) == (4, 0, 0)


def test_a_locked_list_is_not_emptied(browser: Client, people: TargetListPage) -> None:
    into = a_target_list()
    people.locked, people.locked_by = True, a_user()
    people.save()
    page = browser.post(url_of(into, "merge"), {"lists": [people.pk], "move": "on"})

    assert "You may not take people out of" in page.content.decode()
    assert (into.members.count(), people.members.count()) == (0, 3)


@pytest.mark.parametrize("what", ["copy", "move", "merge"])
def test_a_locked_list_takes_and_gives_nobody(browser: Client, people: TargetListPage, what: str) -> None:
    people.locked, people.locked_by = True, a_user()
    people.save()

    # Wagtail's answer to who may not: to the start page, with a message.
    assert browser.get(url_of(people, what, "id=all")).url == "/admin/"


@pytest.fixture
def sent(people: TargetListPage) -> Campaign:
    """A mailing that reached ada and bob; ada has clicked; eve's mail failed."""
    an_account()
    campaign = a_campaign(people)
    run = start_now(a_mailing(campaign=campaign))
    Delivery.objects.filter(run=run).update(state="accepted")
    Delivery.objects.filter(run=run, email="eve@example.org").update(state="failed")
    ada = Delivery.objects.get(run=run, email="ada@example.org")
    DeliveryEvent.objects.create(
        delivery=ada, kind=DeliveryEvent.Kind.CLICKED, at=run.started_at, dedupe_key="1"
    )
    return campaign


def log_url(campaign: Campaign, query: str) -> str:
    return f"/admin/massmail/campaigns/log/{campaign.pk}/add-to-list/?{query}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", {"eve"}),
        ("event=clicked", {"ada"}),
        ("state=accepted&q=bob", {"bob"}),
        ("", {"ada", "bob", "eve"}),
    ],
)
def test_whom_the_log_shows_comes_into_a_list(
    submit: Submit, sent: Campaign, people: TargetListPage, query: str, expected: set[str]
) -> None:
    page = submit(log_url(sent, query), new_list="Follow-up")
    new = TargetListPage.objects.get(title="Follow-up")

    assert f"{len(expected)} added to “Follow-up”." in messages_of(page)
    names = {name for name in ("ada", "bob", "eve") if _is_in(name, new)}
    assert names == expected


def _is_in(name: str, target_list: TargetListPage) -> bool:
    from sandbox.crm.models import Contact

    return ("crm.contact", str(Contact.objects.get(first_name=name).pk)) in member_names(target_list)


def test_whom_one_may_not_choose_keeps_nobody_else_of_the_log_out(
    submit: Submit, editor: Any, people: TargetListPage
) -> None:
    lead = Lead.objects.create(last_name="Lea", email="lea@example.org")
    people.members.create(recipient_type="crm.lead", object_id=str(lead.pk))
    permissions = Permission.objects.filter(content_type__model="lead")
    Group.objects.get(name="Mail editors").permissions.remove(*permissions)
    an_account()
    campaign = a_campaign(people)
    start_now(a_mailing(campaign=campaign))
    submit(log_url(campaign, ""), new_list="Again")

    assert TargetListPage.objects.get(title="Again").members.count() == 3


def test_who_is_in_the_log_of_several_mailings_comes_once(submit: Submit, sent: Campaign) -> None:
    start_now(a_mailing(campaign=sent))
    submit(log_url(sent, ""), new_list="Everybody")

    assert TargetListPage.objects.get(title="Everybody").members.count() == 3


def test_who_has_left_one_of_the_campaigns_lists_is_left_out(
    browser: Client, submit: Submit, sent: Campaign, people: TargetListPage
) -> None:
    opt_out(EmailAddress.objects.get(key="ada@example.org"), [people.consent_scope], BY_LINK)
    asked = browser.get(log_url(sent, ""))
    assert (asked.context["number"], asked.context["left_out"]) == (2, 1)
    submit(log_url(sent, ""), new_list="Others")

    assert not _is_in("ada", TargetListPage.objects.get(title="Others"))


def test_who_may_not_choose_the_people_takes_none_from_the_log(browser: Client, sent: Campaign) -> None:
    permissions = Permission.objects.filter(content_type__model="contact")
    Group.objects.get(name="Mail editors").permissions.remove(*permissions)

    assert browser.get(log_url(sent, "")).context["number"] == 0


def test_a_filter_that_is_not_understood_takes_nobody(browser: Client, sent: Campaign) -> None:
    page = browser.get(log_url(sent, "state=nonsense"), follow=True)

    assert "not understood" in messages_of(page)


def test_the_log_leads_there_with_its_filters(browser: Client, sent: Campaign) -> None:
    page = browser.get(f"/admin/massmail/campaigns/log/{sent.pk}/?state=failed")

    assert f"{log_url(sent, 'state=failed')}" in page.content.decode()


def test_only_who_may_look_at_campaigns_gets_there(client: Client, sent: Campaign) -> None:
    user = a_user("stranger")
    user.user_permissions.add(Permission.objects.get(codename="access_admin"))
    client.force_login(user)

    assert client.get(log_url(sent, "")).status_code == 302


def leaves(email: str, target_list: TargetListPage) -> None:
    address, _new = EmailAddress.objects.get_or_create(key=email)
    opt_out(address, [target_list.consent_scope], BY_LINK)


@pytest.mark.parametrize("spelled", ["ada@example.org", " ADA@Example.org "])
def test_the_second_record_of_who_has_left_is_left_out_too(
    submit: Submit, people: TargetListPage, spelled: str
) -> None:
    lead = Lead.objects.create(last_name="Ada", email=spelled)
    people.members.create(recipient_type="crm.lead", object_id=str(lead.pk))
    an_account()
    campaign = a_campaign(people)
    start_now(a_mailing(campaign=campaign))
    leaves("ada@example.org", people)
    submit(log_url(campaign, ""), new_list="Again")

    again = TargetListPage.objects.get(title="Again")
    assert not again.members.filter(recipient_type="crm.lead").exists()
    assert again.members.count() == 2


def test_who_has_left_a_list_that_the_campaign_has_no_more_is_left_out(
    submit: Submit, sent: Campaign, people: TargetListPage
) -> None:
    leaves("ada@example.org", people)
    sent.target_lists.set([a_target_list()])
    sent.save()
    submit(log_url(sent, ""), new_list="Again")

    assert not _is_in("ada", TargetListPage.objects.get(title="Again"))


def test_whose_record_has_since_got_the_address_of_who_left_is_left_out(
    submit: Submit, sent: Campaign, people: TargetListPage
) -> None:
    leaves("gone@example.org", people)
    Contact.objects.filter(first_name="bob").update(email="Gone@example.org")
    submit(log_url(sent, ""), new_list="Again")

    again = TargetListPage.objects.get(title="Again")
    assert not _is_in("bob", again)
    assert _is_in("ada", again)


def test_a_colleagues_contact_who_has_left_is_left_out_although_the_log_does_not_name_them(
    submit: Submit, editor: Any, people: TargetListPage
) -> None:
    chosen = preferences.load()
    chosen.whose_records = preferences.MailPreferences.WhoseRecords.OWN
    chosen.save()
    an_account()
    owner = a_user()
    Contact.objects.update(assigned_to=editor)
    Contact.objects.filter(first_name="bob").update(assigned_to=owner)
    campaign = a_campaign(people)
    start_now(a_mailing(campaign=campaign, owner=owner))
    leaves("ada@example.org", people)
    submit(log_url(campaign, ""), new_list="Again")

    again = TargetListPage.objects.get(title="Again")
    assert (_is_in("ada", again), _is_in("eve", again), _is_in("bob", again)) == (False, True, False)


def test_a_copied_list_follows_the_same_segments_and_brings_back_nobody_who_left(
    browser: Client, people: TargetListPage
) -> None:
    a_contact("dora@example.org", city="Dublin")
    segment = a_segment(city="Dublin")
    source = a_target_list(title="Live")
    source.live_segments.set([segment])
    source.save()
    leaves("dora@example.org", source)
    copied = copied_page(browser, source, "Copy")

    assert list(copied.live_segments.all()) == [segment]
    assert list(copied.get_latest_revision_as_object().live_segments.all()) == [segment]
    assert [row.reason for row in candidates_of([copied])] == [Reason.OPTED_OUT_LIST]
    said = EmailAddress.objects.get().consent_events.first()
    assert said is not None
    assert (said.scope, said.method) == (copied.consent_scope.key, ConsentEvent.Method.OPERATOR)
    assert said.actor is not None


def test_the_lists_in_a_copied_folder_hold_their_people_and_nobody_who_left(
    browser: Client, people: TargetListPage
) -> None:
    index = get_index_page()
    folder = index.add_child(instance=TargetListIndexPage(title="Dublin"))
    for title, city in (("First", "Dublin"), ("Second", "Cork")):
        a_contact(f"{title.lower()}@example.org", city=city)
        page = folder.add_child(instance=TargetListPage(title=title))
        page.live_segments.set([a_segment(city=city)])
        page.save()
    leaves("first@example.org", TargetListPage.objects.get(title="First"))
    copied_page(browser, folder, "Dublin again", copy_subpages="on")

    copies = {page.title: page for page in TargetListPage.objects.order_by("pk")}
    assert [row.reason for row in candidates_of([copies["First"]])] == [Reason.OPTED_OUT_LIST]
    assert [row.reason for row in candidates_of([copies["Second"]])] == [""]


def test_a_page_that_is_copied_without_its_people_is_copied_without_segments() -> None:
    source = a_target_list()
    source.live_segments.set([a_segment()])
    source.save()
    copied = source.copy(update_attrs={"title": "Copy", "slug": "copy"})

    assert not TargetListPage.objects.get(pk=copied.pk).live_segments.exists()


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_list_is_never_an_alias_of_another(browser: Client, is_folder: bool) -> None:
    folder = get_index_page().add_child(instance=TargetListIndexPage(title="Dublin"))
    segment = a_segment(city="Dublin")
    a_contact("dora@example.org", city="Dublin")
    source = folder.add_child(instance=TargetListPage(title="Live", is_public=True))
    source.live_segments.set([segment])
    source.save()
    leaves("dora@example.org", source)
    page = folder if is_folder else source
    assert 'name="alias"' not in browser.get(f"/admin/pages/{page.pk}/copy/").content.decode()
    copied_page(browser, page, "Copy", alias="on", copy_subpages="on")

    copied = TargetListPage.objects.exclude(pk=source.pk).get()
    assert (copied.alias_of, copied.is_public) == (None, False)
    assert [row.reason for row in candidates_of([copied])] == [Reason.OPTED_OUT_LIST]


def copied_page(browser: Client, page: Any, title: str, **more: Any) -> Any:
    form = {"new_title": title, "new_slug": title.lower().replace(" ", "-"), **more}
    form["new_parent_page"] = page.get_parent().pk
    browser.post(f"/admin/pages/{page.pk}/copy/", form)
    return type(page).objects.get(title=title)
