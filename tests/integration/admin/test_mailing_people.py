"""Who gets a draft and who does not, by name; and what became of one person in the latest mailings."""

import pytest
from django.urls import reverse
from django.utils import timezone

from massmail_plugin.admin import mailing_people
from massmail_plugin.audience.audiences import Audience, Stage
from massmail_plugin.audience.working_out import forget, work_out
from massmail_plugin.mailings import actions, people, preflight
from massmail_plugin.mailings.people import subject
from massmail_plugin.mailings.terms import terms_of
from massmail_plugin.mailings.verbs import Refused
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, a_user, an_account, start_now
from tests.integration.admin.conftest import allow

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


def test_the_numbers_stand_above_and_lead_to_the_people(admin_client, draft):
    shown = admin_client.get(people_url(draft))

    assert "<strong>1</strong> of 5 people will get it." in shown.content.decode()
    assert str(draft) in shown.context["page_title"]
    for label, number, url in shown.context["reasons"]:
        assert len(admin_client.get(url).context["object_list"]) == number, label


def test_it_is_filtered_by_verdict_searched_and_downloaded(admin_client, draft):
    yes = admin_client.get(people_url(draft, reason="gets_it")).context["object_list"]
    found = admin_client.get(people_url(draft, q="Left")).context["object_list"]
    lines = b"".join(admin_client.get(people_url(draft, export="csv")).streaming_content).decode("utf-8-sig")

    assert [one.email for one in yes] == ["ann@customers.example"]
    assert [one.reason for one in found] == ["opted_out"]
    assert "'=HYPERLINK(1)" in lines
    assert len(lines.splitlines()) == 6


def test_the_page_costs_the_same_for_many_and_for_those_that_took_long(admin_client, draft, monkeypatch):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    admin_client.get(people_url(draft))
    with CaptureQueriesContext(connection) as few:
        admin_client.get(people_url(draft))
    a_target_list_of = draft.campaign.target_lists.get()
    for record in Contact.objects.bulk_create(Contact(email=f"p{n}@many.example") for n in range(200)):
        a_target_list_of.members.create(recipient_type="crm.contact", object_id=str(record.pk))
    admin_client.get(people_url(draft))
    with CaptureQueriesContext(connection) as many:
        admin_client.get(people_url(draft))
    monkeypatch.setattr(people, "PATIENCE_SECONDS", -1)
    with CaptureQueriesContext(connection) as long:
        page = admin_client.get(people_url(draft)).content.decode()

    assert len(many) == len(few) == len(long)
    assert "Counted at" in page


def test_once_it_is_sent_the_log_says_who_got_it(admin_client, draft):
    start_now(draft)

    response = admin_client.get(people_url(draft))

    assert response.status_code == 302
    assert f"mailing={draft.pk}" in response["Location"]
    assert not Audience.objects.exists()


def test_while_the_people_are_counted_the_page_says_so_and_looks_again(admin_client, draft, monkeypatch):
    monkeypatch.setattr(people, "PATIENCE_SECONDS", -1)
    page = admin_client.get(people_url(draft))
    send = admin_client.get(reverse("massmail_mailings:send", args=(draft.pk,)))

    assert "being counted" in page.content.decode()
    assert "once they are counted" in page.content.decode()
    assert "Nobody is in" not in page.content.decode()
    assert page["Refresh"] == send["Refresh"] == "5"
    monkeypatch.setattr(people, "PATIENCE_AT_SEND", -1)
    with pytest.raises(Refused, match="counted"):
        actions.release(draft)


@pytest.mark.django_db(transaction=True)
def test_long_lists_are_counted_in_the_background(draft, monkeypatch):
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


@pytest.fixture
def counted_again(monkeypatch):
    """A colleague has the people counted again, right after they were looked up: all are there, and none is judged."""

    def check_and_lose(mailing, **options):
        result = preflight.check(mailing, **options)
        audience = terms_of(mailing).open(subject(mailing))
        work_out(audience, stop=lambda: audience.stage == Stage.JUDGING)
        return result

    monkeypatch.setattr(mailing_people, "check", check_and_lose)


@pytest.mark.usefixtures("counted_again")
def test_a_colleague_who_counts_again_turns_nobody_into_a_yes(admin_client, draft):
    page = admin_client.get(people_url(draft))
    export = admin_client.get(people_url(draft, export="csv"), follow=True)

    assert Audience.objects.get().candidates.filter(reason="", key="eve@customers.example").exists()
    assert "eve@customers.example" not in page.content.decode()
    assert "being counted again" in page.content.decode()
    assert page["Refresh"] == "5"
    assert "nothing to download" in export.content.decode()


def test_a_download_that_somebody_counts_again_during_breaks_off(admin_client, draft):
    export = admin_client.get(people_url(draft, export="csv"))
    forget(subject(draft))

    with pytest.raises(mailing_people.CountedAgain):
        b"".join(export.streaming_content)


def test_who_is_still_being_counted_cannot_be_downloaded(admin_client, draft, monkeypatch):
    monkeypatch.setattr(people, "PATIENCE_SECONDS", -1)

    export = admin_client.get(people_url(draft, export="xlsx"))

    assert (export.status_code, export["Location"]) == (302, people_url(draft))


def test_who_asks_for_a_common_name_is_told_to_type_more(admin_client, draft):
    def is_told():
        return "Type more of the name" in admin_client.get(why_url("smith")).content.decode()

    for number in range(20):
        a_contact(f"smith{number}@customers.example", last_name="Smith")
    assert not is_told()
    a_contact("last@customers.example", last_name="Smith")
    assert is_told()


def test_an_addresss_standing_is_told_to_who_may_look_at_addresses_or_at_a_mailing_that_met_it(client):
    """Otherwise anybody could ask which addresses have complained somewhere else."""
    EmailAddress.objects.create(key="eve@example.org", complained_since=timezone.now())
    client.force_login(allow(a_user(), "view_mailing"))
    known = client.get(why_url("eve@example.org"))
    unknown = client.get(why_url("nobody@example.org"))

    assert "standing" not in known.context
    told = known.content.decode().replace("eve@", "nobody@")
    assert "spam" not in told
    assert told.count("No mailing has met") == unknown.content.decode().count("No mailing has met") == 0

    client.force_login(allow(a_user(), "view_mailing", "view_emailaddress"))
    assert client.get(why_url("eve@example.org")).context["standing"]
