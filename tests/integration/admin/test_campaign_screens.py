"""Campaigns in the admin: form, own page, log and its download."""

import csv
import io

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from wagtail.models import GroupPagePermission, ReferenceIndex

from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Campaign, Delivery
from massmail_plugin.recipients.models import EmailAddress
from sandbox.crm.staff import page_permission
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_target_list,
    a_user,
    an_account,
    contacts,
    start_now,
)
from tests.integration.admin.conftest import Counting, allow, an_author, messages_of

pytestmark = pytest.mark.django_db


def _url(name, campaign=None):
    return reverse(f"massmail_campaigns:{name}", args=[campaign.pk] if campaign else [])


def _form(lists=(), excluded=(), urls=(), **changes):
    data = {
        "name": "Spring",
        "kind": "newsletter",
        "target_lists": [each.pk for each in lists],
        "excluded_lists": [each.pk for each in excluded],
        "tracking_urls-TOTAL_FORMS": len(urls),
        "tracking_urls-INITIAL_FORMS": 0,
        "tracking_urls-MIN_NUM_FORMS": 0,
        "tracking_urls-MAX_NUM_FORMS": 1000,
    }
    for number, (slug, url) in enumerate(urls):
        data |= {f"tracking_urls-{number}-slug": slug, f"tracking_urls-{number}-url": url}
    return {**data, **changes}


def _event(delivery, kind):
    return DeliveryEvent.objects.create(
        delivery=delivery, kind=kind, at=timezone.now(), dedupe_key=f"{delivery.pk}-{kind}"
    )


def test_a_campaign_is_made_with_lists_and_tracking_urls(editor):
    chosen, excluded = a_target_list(title="Customers"), a_target_list(title="Competitors")
    form = _form([chosen], [excluded], [("demo", "https://www.example.com/demo")])
    response = editor.post(_url("add"), form)
    campaign = Campaign.objects.get()
    assert response["Location"] == _url("inspect", campaign)
    assert list(campaign.target_lists.all()) == [chosen]
    assert list(campaign.excluded_lists.all()) == [excluded]
    assert [url.slug for url in campaign.tracking_urls.all()] == ["demo"]
    assert campaign.owner == editor.user


def test_lists_are_chosen_by_title_and_size(editor):
    a_target_list(a_contact(), a_contact(), title="Customers")
    page = editor.get(_url("add")).content.decode()
    assert "Customers (2 people)" in page


def test_the_form_needs_no_more_queries_for_fifty_lists(editor):
    count = Counting(editor)
    a_target_list()
    few = count(_url("add"))
    for _number in range(10):
        a_target_list()
    assert count(_url("add")) == few


def _in_form(client, url):
    fields = client.get(url).context["form"].fields
    return [{each.title for each in fields[name].queryset} for name in ("target_lists", "excluded_lists")]


@pytest.fixture
def seller(signed_in):
    """Somebody who makes campaigns and works with the list "Mine", and with no other."""
    user = allow(a_user(), "add_campaign", "change_campaign", "view_campaign")
    group = Group.objects.create(name="Sellers")
    user.groups.add(group)
    mine = a_target_list(title="Mine")
    GroupPagePermission.objects.create(group=group, page_id=mine.pk, permission=page_permission("change"))
    return signed_in(user)


def test_only_lists_that_the_user_may_look_at_are_offered(seller):
    a_target_list(title="Board")
    assert _in_form(seller, _url("add")) == [{"Mine"}, {"Mine"}]


@pytest.mark.parametrize("field", ["target_lists", "excluded_lists"])
def test_a_list_out_of_reach_cannot_be_posted(seller, field):
    hidden = a_target_list(title="Board")
    response = seller.post(_url("add"), _form(**{field: [hidden.pk]}))
    assert list(response.context["form"].errors) == [field]
    assert not Campaign.objects.exists()


def test_lists_that_a_colleague_has_chosen_are_shown_and_stay(seller):
    board, never, other = (a_target_list(title=title) for title in ("Board", "Never", "Other"))
    campaign = a_campaign(board, excluding=[never])
    assert _in_form(seller, _url("edit", campaign)) == [{"Mine", "Board"}, {"Mine", "Never"}]
    seller.post(_url("edit", campaign), _form([board], [never], name="Renamed"))
    campaign = Campaign.objects.get()
    assert campaign.name == "Renamed"
    assert [list(campaign.target_lists.all()), list(campaign.excluded_lists.all())] == [[board], [never]]
    response = seller.post(_url("edit", campaign), _form([board], [never, other]))
    assert list(response.context["form"].errors) == ["excluded_lists"]


def test_who_may_look_at_no_list_is_told_what_to_do(signed_in):
    a_target_list(title="Board")
    page = signed_in(an_author()).get(_url("add")).content.decode()
    assert "There is no list that you may use." in page
    assert "Board" not in page


def test_the_two_boxes_of_lists_have_names_of_their_own(editor):
    a_target_list()
    page = editor.get(_url("add")).content.decode()
    for name in ("Target lists", "Excluded lists"):
        assert f'role="group" aria-label="{name}"' in page


def test_a_list_cannot_be_chosen_and_excluded_at_once(editor):
    both = a_target_list(title="Customers")
    response = editor.post(_url("add"), _form([both], [both]))
    assert "Chosen and excluded at once: Customers" in str(response.context["form"].errors)
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("slug", "url"),
    [
        ("Demo", "https://x.example"),
        ("1a", "https://x.example"),
        ("demo", "javascript:alert(1)"),
        ("demo", "x"),
    ],
)
def test_a_tracking_url_that_cannot_work_is_refused(editor, slug, url):
    response = editor.post(_url("add"), _form(urls=[(slug, url)]))
    assert response.status_code == 200
    assert not Campaign.objects.exists()


def test_a_campaigns_page_shows_its_mailings_lists_and_results(editor):
    an_account()
    people = a_target_list(a_contact(), a_contact(), title="Customers")
    campaign = a_campaign(people)
    mailing = a_mailing(campaign=campaign, name="Spring news")
    start_now(mailing)
    page = editor.get(_url("inspect", campaign)).content.decode()
    for words in ("Spring news", "Active", "Customers", "2 people", _url("log", campaign)):
        assert words in page, words
    assert f"{reverse('massmail_mailings:add')}?campaign={campaign.pk}" in page


def test_a_campaign_without_lists_and_mailings_tells_the_next_step(editor):
    page = editor.get(_url("inspect", a_campaign())).content.decode()
    assert "No mailing yet" in page
    assert "No target list and no segment yet" in page


def test_a_campaign_that_the_reference_index_does_not_know_to_be_in_use_is_kept(administrator):
    mailing = a_mailing()
    ReferenceIndex.objects.all().delete()
    response = administrator.post(_url("delete", mailing.campaign))
    assert "because it has mailings" in response.content.decode()
    assert Campaign.objects.filter(pk=mailing.campaign_id).exists()


def test_a_campaign_that_gets_a_mailing_at_the_same_moment_is_kept(administrator, monkeypatch):
    mailing = a_mailing()
    monkeypatch.setattr("massmail_plugin.admin.screens.why_kept", lambda *_args: None)
    response = administrator.post(_url("delete", mailing.campaign), follow=True)
    assert "still in use" in messages_of(response)
    assert Campaign.objects.filter(pk=mailing.campaign_id).exists()


@pytest.fixture
def campaign():
    """A campaign with two mailings: to Ada and Bob, and to Carl; Ada has clicked, Bob failed."""
    an_account()
    ada = a_contact("ada@x.example", first_name="Ada", last_name="Able")
    bob = a_contact("bob@x.example", first_name="Bob", last_name="Baker")
    campaign = a_campaign(a_target_list(ada, bob))
    run = start_now(a_mailing(campaign=campaign, name="First"))
    Delivery.objects.filter(run=run, email="ada@x.example").update(state="accepted", handed_at=timezone.now())
    Delivery.objects.filter(run=run, email="bob@x.example").update(state="failed", detail="550 No")
    _event(Delivery.objects.get(run=run, email="ada@x.example"), "clicked")
    start_now(a_mailing(campaign=campaign, name="Second"))
    return campaign


def _logged(editor, campaign, **query):
    response = editor.get(_url("log_results", campaign), query)
    return {(each.email[:3], each.run.mailing.name) for each in response.context["object_list"]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {("ada", "First"), ("bob", "First"), ("ada", "Second"), ("bob", "Second")}),
        ({"state": "failed"}, {("bob", "First")}),
        ({"state": ["failed", "accepted"]}, {("bob", "First"), ("ada", "First")}),
        ({"event": "clicked"}, {("ada", "First")}),
        ({"q": "baker"}, {("bob", "First"), ("bob", "Second")}),
        ({"q": "ADA@x"}, {("ada", "First"), ("ada", "Second")}),
        ({"q": "nobody"}, set()),
        ({"reason": "opted_out"}, set()),
    ],
)
def test_the_log_is_filtered_and_searched(editor, campaign, query, found):
    assert _logged(editor, campaign, **query) == found


def test_the_log_is_filtered_by_mailing(editor, campaign):
    first = campaign.mailings.get(name="First")
    assert _logged(editor, campaign, mailing=first.pk) == {("ada", "First"), ("bob", "First")}


def test_another_campaigns_people_are_not_in_the_log(editor, campaign):
    other = start_now(a_mailing(to=[a_contact("zoe@x.example")]))
    assert "zoe" not in {who for who, _mailing in _logged(editor, campaign)}
    # Nor can another campaign's mailing be asked for.
    response = editor.get(_url("log_results", campaign), {"mailing": other.mailing_id})
    assert "zoe@x.example" not in response.content.decode()


def test_the_log_needs_no_more_queries_for_more_mails(editor):
    an_account()
    small, large = a_mailing(to=contacts(2)), a_mailing(to=contacts(49, domain="many.example"))
    for mailing in (small, large):
        for delivery in start_now(mailing).deliveries.all():
            _event(delivery, "opened")
    count = Counting(editor)
    assert count(_url("log", small.campaign)) == count(_url("log", large.campaign))


def _download(client, campaign, **query):
    response = client.get(_url("log", campaign), {"export": "csv", **query})
    assert response.streaming
    assert response["Content-Type"].startswith("text/csv")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_download_is_what_the_filters_show(editor, campaign):
    rows = _download(editor, campaign, event="clicked")
    assert [(row["Name"], row["Mailing"], row["Status"], row["What came back"]) for row in rows] == [
        ("Ada Able", "First", "sent", "clicked")
    ]


def test_no_cell_of_the_download_is_a_formula(editor):
    an_account()
    hostile = a_contact("evil@x.example", first_name='=cmd|"/c calc"!A1', last_name="")
    mailing = a_mailing(to=[hostile], name="+SUM(A1)")
    run = start_now(mailing)
    run.deliveries.update(state="failed", detail="@evil\tserver")
    (row,) = _download(editor, mailing.campaign)
    assert row["Name"].startswith("'=cmd")
    assert row["Mailing"] == "'+SUM(A1)"
    assert row["Details"] == "'@evil\tserver"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_a_large_download_needs_few_queries(editor, django_assert_max_num_queries):
    an_account()
    mailing = a_mailing(to=contacts(120))
    start_now(mailing)
    with django_assert_max_num_queries(25):
        assert len(_download(editor, mailing.campaign)) == 120


def _details(editor, campaign, **query):
    """Return the log's table as (who, details), and its columns."""
    table = editor.get(_url("log_results", campaign), query).context["table"]
    return {each.email[:3]: each.details for each in table.data}, set(table.columns)


def test_the_servers_words_stand_in_the_log_only_where_something_went_wrong(editor, campaign):
    Delivery.objects.filter(state="accepted").update(detail="250 2.0.0 OK: queued")
    details, _columns = _details(editor, campaign, state=["accepted", "failed"])
    assert details == {"ada": "", "bob": "550 No"}
    assert "250 2.0.0 OK: queued" in {row["Details"] for row in _download(editor, campaign)}


def test_the_log_of_one_mailing_does_not_name_it_in_every_row(editor, campaign):
    first = campaign.mailings.get(name="First")
    assert "mailing" in _details(editor, campaign)[1]
    assert "mailing" in _details(editor, campaign, mailing="nonsense")[1]
    assert "mailing" not in _details(editor, campaign, mailing=first.pk)[1]


def test_an_address_in_the_log_leads_to_its_page_for_those_who_may_look_at_it(editor, campaign, signed_in):
    ada = reverse("massmail_addresses:inspect", args=[EmailAddress.objects.get(key="ada@x.example").pk])
    unaware = signed_in(allow(a_user(), "view_campaign", "view_mailing"))
    mailing = campaign.mailings.get(name="First")
    for url in (_url("log_results", campaign), reverse("massmail_mailings:inspect", args=[mailing.pk])):
        assert f'href="{ada}"' in editor.get(url).content.decode()
        page = unaware.get(url).content.decode()
        assert ada not in page
        assert "ada@x.example" in page
