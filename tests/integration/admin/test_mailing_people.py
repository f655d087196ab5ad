"""Who gets a draft and who does not, by name; and what became of one person in the latest mailings."""

import pytest
from django.urls import reverse

from massmail_plugin.audience.audiences import Audience
from massmail_plugin.mailings import actions
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, a_user, an_account, start_now

pytestmark = pytest.mark.django_db

HOW = How(ConsentEvent.Method.OPERATOR)


def people_url(mailing, **query):
    return reverse("massmail_mailings:people", args=(mailing.pk,), query=query or None)


def why_url(asked=""):
    return reverse("massmail_mailings:why", query={"q": asked})


@pytest.fixture
def draft():
    an_account()
    eve = EmailAddress.objects.create(key="eve@customers.example")
    consent.opt_out(eve, [Scope()], HOW)
    rival = a_contact("rival@customers.example", first_name="Rita", last_name="Rival")
    people = [
        a_contact("ann@customers.example", first_name="Ann", last_name="First"),
        a_contact("ANN@customers.example", first_name="Ann", last_name="Second"),
        a_contact("eve@customers.example", first_name="Eve", last_name="Left"),
        a_contact("=cmd|x", first_name="=HYPERLINK(1)", last_name=""),
        rival,
    ]
    lists = [a_target_list(*people, title="Customers"), a_target_list(rival, title="Rivals")]
    return a_mailing(campaign=a_campaign(lists[0], excluding=[lists[1]]))


def test_everybody_is_named_with_the_reason_and_the_list(admin_client, draft):
    page = admin_client.get(people_url(draft)).content.decode()

    assert "Ann First" in page
    assert "no: the same address as another person (Ann First)" in page
    assert "no: opted out of all mailings" in page
    assert "no: in an excluded list or segment (Rivals)" in page
    assert page.count("Customers") >= 5


def test_it_is_filtered_by_verdict_searched_and_downloaded(admin_client, draft):
    yes = admin_client.get(people_url(draft, reason="gets_it")).context["object_list"]
    found = admin_client.get(people_url(draft, q="Left")).context["object_list"]
    lines = b"".join(admin_client.get(people_url(draft, export="csv")).streaming_content).decode("utf-8-sig")

    assert [one.email for one in yes] == ["ann@customers.example"]
    assert [one.reason for one in found] == ["opted_out"]
    assert "'=HYPERLINK(1)" in lines
    assert len(lines.splitlines()) == 6


def test_the_page_costs_the_same_for_many(admin_client, draft, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    admin_client.get(people_url(draft))
    with CaptureQueriesContext(connection) as few:
        admin_client.get(people_url(draft))
    a_target_list_of = draft.campaign.target_lists.get()
    for record in Contact.objects.bulk_create(Contact(email=f"p{n}@many.example") for n in range(200)):
        a_target_list_of.members.create(recipient_type="crm.contact", object_id=str(record.pk))
    with CaptureQueriesContext(connection) as many:
        admin_client.get(people_url(draft))

    assert len(many) == len(few)


def test_once_it_is_sent_the_log_says_who_got_it(admin_client, draft):
    start_now(draft)

    response = admin_client.get(people_url(draft))

    assert response.status_code == 302
    assert f"mailing={draft.pk}" in response["Location"]
    assert not Audience.objects.exists()


def test_while_the_people_are_counted_the_page_says_so_and_looks_again(admin_client, draft, monkeypatch):
    from massmail_plugin.mailings import people

    monkeypatch.setattr(people, "PATIENCE_SECONDS", -1)
    page = admin_client.get(people_url(draft))
    send = admin_client.get(reverse("massmail_mailings:send", args=(draft.pk,)))

    assert "being counted" in page.content.decode()
    assert page["Refresh"] == send["Refresh"] == "5"
    monkeypatch.setattr(people, "PATIENCE_AT_SEND", -1)
    with pytest.raises(actions.Refused, match="counted"):
        actions.release(draft)


@pytest.mark.django_db(transaction=True)
def test_long_lists_are_counted_in_the_background(draft, monkeypatch):
    from massmail_plugin.mailings import people

    monkeypatch.setattr(people, "PATIENCE_SECONDS", -1)
    assert not people.count_people(draft).is_complete
    assert people.go_on_counting(lambda: False) is False
    assert people.count_people(draft).counts[""] == 1
    people.forget_people(draft)
    assert not Audience.objects.exists()


def test_who_may_not_look_at_mailings_sees_nobody(client, draft):
    client.force_login(a_user("stranger"))

    assert client.get(people_url(draft)).status_code == 302
    assert client.get(why_url("ann@customers.example")).status_code == 302


def test_one_person_across_mailings(admin_client, draft):
    start_now(draft)
    start_now(
        a_mailing(campaign=a_campaign(a_target_list(a_contact("bob@customers.example"))), name="To Bob")
    )

    eve = admin_client.get(why_url("EVE@customers.example")).content.decode()
    ann = admin_client.get(why_url("ann@customers.example")).context["answers"]

    assert "left out: opted out of all mailings" in eve
    assert "was not in its lists when it started" in eve
    assert [(answer.mailing, answer.words) for answer in ann][1] == (draft, "waiting")


def test_a_name_leads_to_the_people_who_have_it(admin_client, draft):
    page = admin_client.get(why_url("Ann")).content.decode()

    assert "Ann Second" in page
    assert "?q=ANN%40customers.example" in page
    assert "Nobody is found" in admin_client.get(why_url("Zacharias")).content.decode()
