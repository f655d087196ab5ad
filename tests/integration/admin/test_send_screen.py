"""Send: the page that asks once, and what it refuses."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from wagtail.users.models import UserProfile

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.mailings.models import Mailing, Run
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_target_list,
    a_template,
    an_account,
    start_now,
)
from tests.integration.admin.conftest import messages_of

pytestmark = pytest.mark.django_db


def _send_url(mailing):
    return reverse("massmail_mailings:send", args=[mailing.pk])


def _state(mailing):
    return Mailing.objects.get(pk=mailing.pk).state


@pytest.fixture
def nudges(monkeypatch):
    """Count the nudges that the screens give."""
    given = []
    for module in ("send", "mailing_verbs"):
        monkeypatch.setattr(f"massmail_plugin.admin.{module}.nudge_tick", lambda: given.append(1))
    return given


def test_the_page_says_who_gets_it_and_who_does_not(editor):
    an_account(from_name="Sales", from_email="sales@sandbox.example")
    gone = a_contact("gone@customers.example", first_name="Olga", last_name="Out")
    address = EmailAddress.objects.create(key="gone@customers.example")
    consent.opt_out(address, [consent.Scope()], consent.How(ConsentEvent.Method.LINK))
    nobody = a_contact(first_name="Nina", last_name="Nomail")
    type(nobody).objects.filter(pk=nobody.pk).update(email="")
    template = a_template(subject="News & more")
    mailing = a_mailing(to=[a_contact(), a_contact(), gone, nobody], template=template)
    page = editor.get(_send_url(mailing)).content.decode()
    for words in (
        "2 people will get it",
        "2 will not, because",
        "opted out of all mailings",
        "Olga Out",
        "no e-mail address",
        "Nina Nomail",
        "News &amp; more",
        "sales@sandbox.example",
        "Send to 2 people now",
    ):
        assert words in page, words


def test_no_more_than_ten_are_named_per_reason(editor):
    an_account()
    nobodies = [a_contact(first_name=f"Nobody{n}") for n in range(12)]
    type(nobodies[0]).objects.filter(pk__in=[nobody.pk for nobody in nobodies]).update(email="")
    page = editor.get(_send_url(a_mailing(to=[a_contact(), *nobodies]))).content.decode()
    assert page.count("Nobody") == 10
    assert "<strong>12</strong>" in page


def test_names_of_strangers_are_text(editor):
    an_account()
    hostile = a_contact(first_name="<script>alert(1)</script>", last_name="{{ 7|add:7 }}")
    type(hostile).objects.filter(pk=hostile.pk).update(email="")
    page = editor.get(_send_url(a_mailing(to=[a_contact(), hostile]))).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_pressing_send_releases_once_and_wakes_the_engine(editor, nudges):
    an_account()
    mailing = a_mailing(to=[a_contact()])
    response = editor.post(_send_url(mailing), follow=True)
    assert _state(mailing) == "pending"
    assert "1 person is on its way" in messages_of(response)
    assert nudges == [1]


def test_a_second_press_starts_nothing_and_says_so(editor, nudges):
    an_account()
    mailing = a_mailing(to=[a_contact()])
    editor.post(_send_url(mailing))
    start = Mailing.objects.get(pk=mailing.pk).start_at
    response = editor.post(_send_url(mailing), follow=True)
    assert "already been sent or scheduled" in messages_of(response)
    assert response.redirect_chain[-1][0] == reverse("massmail_mailings:inspect", args=[mailing.pk])
    assert Mailing.objects.get(pk=mailing.pk).start_at == start
    assert nudges == [1]


def test_a_press_after_the_end_starts_nothing(editor):
    an_account()
    mailing = a_mailing(to=[a_contact()])
    start_now(mailing)
    editor.post(_send_url(mailing))
    assert Run.objects.filter(mailing=mailing).count() == 1
    assert _state(mailing) == "active"


def test_the_page_does_not_promise_what_working_hours_forbid(editor, nudges):
    account = an_account(working_hours_only=True, working_days=[0], work_from=None, work_until=None)
    mailing = a_mailing(to=[a_contact()])
    # Neither today nor tomorrow, whatever day it is.
    SenderAccount.objects.update(working_days=[(timezone.localtime().weekday() + 3) % 7])
    page = editor.get(_send_url(mailing))
    text = page.content.decode()
    assert "Nothing leaves before" in text
    assert "Send to 1 person" in text
    assert "person now" not in text
    assert "at once" not in text
    assert "the first mails leave on" in text
    assert "at the earliest" in messages_of(editor.post(_send_url(mailing), follow=True))
    assert account.is_ready


def test_a_later_start_is_a_schedule_in_the_users_zone(editor):
    an_account()
    profile = UserProfile.get_for_user(editor.user)
    profile.current_time_zone = "Asia/Tokyo"
    profile.save()
    start = timezone.now() + timedelta(days=2)
    mailing = a_mailing(to=[a_contact()], start_at=start)
    page = editor.get(_send_url(mailing)).content.decode()
    assert "Asia/Tokyo" in page
    assert "Schedule for 1 person" in page
    response = editor.post(_send_url(mailing), follow=True)
    assert "Scheduled" in messages_of(response)
    assert Mailing.objects.get(pk=mailing.pk).start_at == start


def _without_account():
    return a_mailing(to=[a_contact()])


def _with_a_stopped_account():
    an_account(state=SenderAccount.State.FAULTY)
    return a_mailing(to=[a_contact()])


def _to_nobody():
    an_account()
    return a_mailing(to=[])


def _to_no_list():
    an_account()
    return a_mailing(campaign=a_campaign())


def _without_template():
    an_account()
    mailing = a_mailing(to=[a_contact()])
    Mailing.objects.filter(pk=mailing.pk).update(template=None)
    return mailing


def _with_a_broken_template():
    an_account()
    return a_mailing(to=[a_contact()], template=a_template("<p>{{ contact.first_name </p>"))


def _with_a_draft_template():
    an_account()
    return a_mailing(to=[a_contact()], template=a_template(live=False))


def _in_the_past():
    an_account()
    return a_mailing(to=[a_contact()], start_at=timezone.now() - timedelta(hours=1))


@pytest.mark.parametrize(
    ("make", "words", "place"),
    [
        (_without_account, "No sender account is ready", "massmail_accounts:index"),
        (_with_a_stopped_account, "mend the one that has stopped", "massmail_accounts:index"),
        (_to_nobody, "Nobody would get this mailing", "massmail_campaigns:edit"),
        (_to_no_list, "no target list", "massmail_campaigns:edit"),
        (_without_template, "Choose a template", "massmail_mailings:edit"),
        (_with_a_broken_template, "", "template"),
        (_with_a_draft_template, "Publish it first", "template"),
        (_in_the_past, "start time has passed", "massmail_mailings:edit"),
    ],
)
def test_what_stands_in_the_way_is_said_with_the_place_to_mend_it(editor, make, words, place):
    mailing = make()
    page = editor.get(_send_url(mailing)).content.decode()
    assert "It cannot be sent yet" in page
    assert words in page
    assert _address(place, mailing) in page
    assert "button-longrunning" not in page
    response = editor.post(_send_url(mailing), follow=True)
    assert words in messages_of(response)
    assert _state(mailing) == "draft"
    assert not Run.objects.exists()


def _address(place, mailing):
    if place == "template":
        from wagtail.admin.admin_url_finder import AdminURLFinder

        return AdminURLFinder().get_edit_url(mailing.template)
    if place == "massmail_mailings:edit":
        return reverse(place, args=[mailing.pk])
    if place == "massmail_campaigns:edit":
        return reverse(place, args=[mailing.campaign_id])
    return reverse(place)


def test_the_preview_shows_the_mail_to_the_first_person_and_stays_in_its_frame(editor):
    template = a_template("<p>Hello {{ contact.first_name }}!</p>")
    people = a_target_list(a_contact(first_name="Zoe"), a_contact(first_name="Adam"))
    mailing = a_mailing(campaign=a_campaign(people), template=template)
    an_account(from_name="Sales team", from_email="sales@sandbox.example")
    response = editor.get(reverse("massmail_mailings:preview", args=[mailing.pk]))
    assert "Hello Zoe!" in response.content.decode()
    assert "Sales team" in response.content.decode()
    assert "sales@sandbox.example" in response.content.decode()
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "sandbox" in response["Content-Security-Policy"]


def test_a_test_mail_arrives_and_the_servers_answer_is_shown(editor, smtp_server):
    an_account(smtp_server)
    mailing = a_mailing(to=[a_contact(first_name="Ada")])
    url = reverse("massmail_mailings:send_test", args=[mailing.pk])
    assert 'value="editor@sandbox.example"' in editor.get(url).content.decode()
    response = editor.post(url, {"to": "me@sandbox.example"}, follow=True)
    assert "Sent to me@sandbox.example." in messages_of(response)
    assert [mail.recipients for mail in smtp_server.mails] == [("me@sandbox.example",)]
    assert _state(mailing) == "draft"


@pytest.mark.parametrize(
    ("to", "words"),
    [("", "This field is required"), ("nobody", "valid email"), ("me@sandbox.example", "The mail server")],
)
def test_a_test_mail_that_cannot_be_sent_says_why(editor, to, words):
    an_account()
    mailing = a_mailing(to=[a_contact()])
    response = editor.post(reverse("massmail_mailings:send_test", args=[mailing.pk]), {"to": to})
    assert response.status_code == 200
    assert words in response.content.decode()


def test_a_test_of_a_broken_template_says_what_is_wrong(editor):
    an_account()
    mailing = _with_a_broken_template()
    response = editor.post(reverse("massmail_mailings:send_test", args=[mailing.pk]), {"to": "me@x.example"})
    assert response.status_code == 200
    assert "help-critical" in response.content.decode()
