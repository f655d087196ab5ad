"""Mailings in the admin: listing, form, own page, buttons."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings import actions, ending
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from tests.builders import a_contact, a_mailing, a_template, a_user, an_account, contacts, start_now
from tests.integration.admin.conftest import Counting, allow, messages_of

pytestmark = pytest.mark.django_db


def _url(name, mailing):
    return reverse(f"massmail_mailings:{name}", args=[mailing.pk])


def _state(mailing):
    return Mailing.objects.get(pk=mailing.pk).state


def _form(mailing, **changes):
    data = {
        "name": mailing.name,
        "campaign": mailing.campaign_id,
        "template": mailing.template_id,
        "owner": mailing.owner_id or "",
        "start_at": "",
        "in_doubt": "hold",
    }
    return {**data, **changes}


@pytest.mark.django_db(transaction=True)
def test_the_listing_shows_how_far_each_has_come(editor, smtp_server):
    account = an_account(smtp_server)
    mailing = a_mailing(to=[a_contact(), a_contact()], name="Spring news")
    start_now(mailing)
    drain(account.pk)
    page = editor.get(reverse("massmail_mailings:index")).content.decode()
    assert "Spring news" in page
    assert "100 %" in page
    assert _url("inspect", mailing) in page


def test_an_empty_listing_tells_the_next_step(editor):
    page = editor.get(reverse("massmail_mailings:index")).content.decode()
    assert "No mailing yet" in page
    assert reverse("massmail_mailings:add") in page


@pytest.mark.parametrize("listing", ["massmail_mailings:index", "massmail_campaigns:index"])
def test_more_rows_need_no_more_queries(editor, listing):
    an_account()
    count, url = Counting(editor), reverse(listing)
    start_now(a_mailing(to=[a_contact()], owner=editor.user))
    few = count(url)
    for _number in range(5):
        start_now(a_mailing(to=[a_contact()], owner=a_user()))
    assert count(url) == few


def test_a_mailings_page_needs_no_more_queries_for_more_mails(editor):
    an_account()
    small, large = a_mailing(to=contacts(2)), a_mailing(to=contacts(60, domain="many.example"))
    start_now(small)
    start_now(large)
    count = Counting(editor)
    assert count(_url("inspect", small)) == count(_url("inspect", large))
    assert count(_url("progress", small)) == count(_url("progress", large))


@pytest.mark.parametrize("query", ["{pk}", "#{pk}", "id {pk}", "Sprin"])
def test_search_finds_by_number_and_by_name(editor, query):
    mailing, other = a_mailing(name="Spring news"), a_mailing(name="Something else")
    url = reverse("massmail_mailings:index_results")
    page = editor.get(url, {"q": query.format(pk=mailing.pk)}).content.decode()
    assert _url("inspect", mailing) in page
    assert _url("inspect", other) not in page


@pytest.mark.parametrize("query", ["99999999999999999999999999", "²", "id", "%", "'"])
def test_an_odd_search_finds_nothing_and_breaks_nothing(editor, query):
    a_mailing(name="Spring news")
    response = editor.get(reverse("massmail_mailings:index_results"), {"q": query})
    assert response.status_code == 200
    assert "Spring news" not in response.content.decode()


def test_a_new_mailing_is_mine_and_for_the_campaign_that_i_came_from(editor):
    campaign = a_mailing().campaign
    url = reverse("massmail_mailings:add")
    form = editor.get(url, {"campaign": campaign.pk}).context["form"]
    assert form["campaign"].value() == campaign.pk
    assert form["owner"].value() == editor.user.pk
    data = {"name": "New one", "campaign": campaign.pk, "template": a_template().pk, "owner": editor.user.pk}
    response = editor.post(url, {**data, "in_doubt": "hold"})
    created = Mailing.objects.get(name="New one")
    assert response["Location"] == _url("inspect", created)
    assert (created.owner, created.state) == (editor.user, "draft")


@pytest.mark.parametrize("campaign", ["x", "999999", "", "１"])
def test_a_campaign_that_is_not_there_is_no_campaign(editor, campaign):
    response = editor.get(reverse("massmail_mailings:add"), {"campaign": campaign})
    assert response.status_code == 200


def test_nobody_writes_in_another_persons_name(editor):
    mailing, colleague = a_mailing(owner=editor.user), a_user()
    response = editor.post(_url("edit", mailing), _form(mailing, owner=colleague.pk))
    assert "owner" in response.context["form"].errors
    mailing.refresh_from_db()
    assert mailing.owner == editor.user


def test_an_administrator_may_change_the_owner(administrator):
    mailing, colleague = a_mailing(), a_user()
    administrator.post(_url("edit", mailing), _form(mailing, owner=colleague.pk))
    mailing.refresh_from_db()
    assert mailing.owner == colleague


def test_a_start_in_the_past_is_refused_in_the_form(editor):
    mailing = a_mailing(owner=editor.user)
    yesterday = (timezone.localtime() - timedelta(days=1)).strftime("%Y-%m-%d %H:%M")
    response = editor.post(_url("edit", mailing), _form(mailing, start_at=yesterday))
    assert "This time has passed" in str(response.context["form"].errors)


@pytest.mark.parametrize(
    "state", ["pending", "active", "active_error", "paused", "interrupted", "done", "cancelled"]
)
def test_what_is_no_draft_any_more_cannot_be_edited(editor, state):
    mailing = a_mailing(owner=editor.user, name="As it was sent")
    Mailing.objects.filter(pk=mailing.pk).update(state=state)
    assert editor.get(_url("edit", mailing))["Location"] == _url("inspect", mailing)
    response = editor.post(_url("edit", mailing), _form(mailing, name="Changed"), follow=True)
    assert "can no longer be changed" in messages_of(response)
    mailing.refresh_from_db()
    assert (mailing.name, mailing.state) == ("As it was sent", state)


def test_sending_while_somebody_saves_is_not_undone(editor, monkeypatch):
    """The form has read a draft; before it writes, somebody presses Send."""
    from massmail_plugin.admin.mailing_form import MailingForm

    an_account()
    mailing = a_mailing(to=[a_contact()], name="As it was sent")
    clean = MailingForm.clean

    def clean_while_somebody_sends(form):
        actions.release(Mailing.objects.get(pk=mailing.pk))
        return clean(form)

    monkeypatch.setattr(MailingForm, "clean", clean_while_somebody_sends)
    response = editor.post(_url("edit", mailing), _form(mailing, name="Changed"), follow=True)
    assert "can no longer be changed" in messages_of(response)
    mailing.refresh_from_db()
    assert (mailing.name, mailing.state) == ("As it was sent", "pending")


def test_a_copy_is_a_draft_of_its_own_and_the_original_stays(editor):
    an_account()
    mailing = a_mailing(to=[a_contact()], name="First", opt_out_entirely=True)
    start_now(mailing)
    response = editor.get(_url("copy", mailing))
    form = response.context["form"]
    assert form["name"].value() == "Copy of First"
    assert form["start_at"].value() is None
    assert form["opt_out_entirely"].value() is True
    assert response.context["action_url"] == reverse("massmail_mailings:add")
    assert editor.post(_url("copy", mailing), _form(mailing, name="Overwritten")).status_code == 405
    mailing.refresh_from_db()
    assert (mailing.name, mailing.state) == ("First", "active")


def test_only_what_was_never_sent_can_be_deleted(administrator):
    an_account()
    draft, started = a_mailing(), a_mailing(to=[a_contact()])
    start_now(started)
    administrator.post(_url("delete", draft))
    assert not Mailing.objects.filter(pk=draft.pk).exists()
    administrator.post(_url("delete", started))
    actions.cancel(started)
    page = administrator.post(_url("delete", started)).content.decode()
    assert "is kept, because it has been sent or was begun" in page
    assert Mailing.objects.filter(pk=started.pk).exists()


def test_the_buttons_do_their_verbs_and_are_logged(editor):
    from wagtail.models import ModelLogEntry

    an_account()
    mailing = a_mailing(to=[a_contact(), a_contact()])
    start_now(mailing)
    for name, state in (("pause", "paused"), ("resume", "active"), ("cancel", "cancelled")):
        response = editor.post(_url(name, mailing), follow=True)
        assert response.status_code == 200
        assert _state(mailing) == state, name
    log = ModelLogEntry.objects.filter(object_id=str(mailing.pk), user=editor.user)
    assert {"massmail.pause", "massmail.resume", "massmail.cancel"} <= set(
        log.values_list("action", flat=True)
    )


def test_a_pending_mailing_can_be_taken_back(editor):
    an_account()
    mailing = a_mailing(to=[a_contact()], start_at=timezone.now() + timedelta(days=1))
    actions.release(mailing)
    assert _url("withdraw", mailing) in editor.get(_url("inspect", mailing)).content.decode()
    editor.post(_url("withdraw", mailing))
    assert _state(mailing) == "draft"


@pytest.mark.parametrize("verb", ["withdraw", "pause", "resume", "retry"])
def test_a_button_that_comes_too_late_says_so(editor, verb):
    an_account()
    mailing = a_mailing(to=[a_contact()])
    Mailing.objects.filter(pk=mailing.pk).update(state="cancelled")
    response = editor.post(_url(verb, mailing), follow=True)
    assert any(message.level_tag == "error" for message in response.context["messages"])
    assert _state(mailing) == "cancelled"


def test_cancel_asks_first_and_counts_what_will_not_be_sent(editor):
    an_account()
    mailing = a_mailing(to=contacts(3))
    start_now(mailing)
    assert "3 mails that still wait" in editor.get(_url("cancel", mailing)).content.decode()
    assert _state(mailing) == "active"
    response = editor.post(_url("cancel", mailing), follow=True)
    assert "3 mails will not be sent" in messages_of(response)


def test_a_draft_is_cancelled_without_a_number_of_mails(editor):
    response = editor.post(_url("cancel", a_mailing(to=[a_contact()])), follow=True)
    assert "Cancelled. It had no mails to send." in messages_of(response)


def test_who_failed_is_named_with_the_servers_words_and_can_be_retried(editor):
    an_account()
    mailing = a_mailing(to=[a_contact("gone@x.example", first_name="Gina", last_name="Gone"), a_contact()])
    run = start_now(mailing)
    gone = Delivery.objects.filter(run=run, email="gone@x.example")
    gone.update(state=DeliveryState.FAILED, detail="550 5.1.1 <b>No such user</b>")
    page = editor.get(_url("inspect", mailing)).content.decode()
    assert "Gina Gone" in page
    assert "550 5.1.1 &lt;b&gt;No such user&lt;/b&gt;" in page
    assert _url("retry", mailing) in page
    response = editor.post(_url("retry", mailing), follow=True)
    assert "1 mail is queued again" in messages_of(response)
    assert gone.get().state == DeliveryState.QUEUED


@pytest.mark.parametrize(
    ("states", "headings"),
    [
        (["failed", "accepted"], ["Failed"]),
        (["in_doubt", "accepted"], ["In doubt"]),
        (["failed", "in_doubt"], ["In doubt", "Failed"]),
        (["accepted", "accepted"], []),
    ],
)
def test_failures_and_doubts_are_shown_where_there_are_any(editor, states, headings):
    an_account()
    mailing = a_mailing(to=contacts(2))
    run = start_now(mailing)
    for delivery, state in zip(run.deliveries.all(), states, strict=True):
        Delivery.objects.filter(pk=delivery.pk).update(state=state)
    page = editor.get(_url("inspect", mailing)).content.decode()
    shown = re.findall(r'<h2 id="massmail-(?:doubts|failures)-heading">(.*?)</h2>', page)
    assert shown == headings


@pytest.mark.django_db(transaction=True)
def test_the_fragment_asks_again_until_it_is_over(editor, smtp_server):
    account = an_account(smtp_server)
    mailing = a_mailing(to=[a_contact()])
    draft = editor.get(_url("progress", mailing))
    assert 'data-seconds="0"' in draft.content.decode()
    start_now(mailing)
    running = editor.get(_url("progress", mailing)).content.decode()
    assert 'data-seconds="2"' in running
    assert "0 of 1 mails sent" in running
    assert "<html" not in running
    drain(account.pk)
    ending.finish_runs()
    ended = editor.get(_url("progress", mailing), {"all": "1"}).content.decode()
    assert 'data-seconds="0"' in ended
    assert "1 of 1 mails sent" in ended
    assert "massmail-so-far" in ended


def test_the_fragment_carries_no_token_that_would_change_every_time(editor):
    mailing = a_mailing()
    first, second = (editor.get(_url("progress", mailing)).content for _look in range(2))
    assert first == second
    assert b"csrf" not in first


def test_a_pending_mailing_that_nobody_starts_is_called_late(editor):
    mailing = a_mailing(to=[a_contact()])
    Mailing.objects.filter(pk=mailing.pk).update(
        state="pending", start_at=timezone.now() - timedelta(minutes=10)
    )
    heartbeats.beat(Heartbeat.Kind.TICK)
    assert "It should have started by now" in editor.get(_url("inspect", mailing)).content.decode()


def test_a_reader_sees_everything_and_no_button(signed_in):
    an_account()
    mailing = a_mailing(to=[a_contact()])
    start_now(mailing)
    reader = signed_in(allow(a_user(), "view_mailing"))
    page = reader.get(_url("inspect", mailing)).content.decode()
    assert "0 of 1 mails sent" in page
    for verb in ("pause", "cancel", "send_test"):
        assert _url(verb, mailing) not in page


def test_a_running_mailing_says_until_when_nothing_leaves_and_when_it_will_be_done(editor):
    account = an_account(owner=editor.user, per_hour=2)
    mailing = a_mailing(to=contacts(6), through=account)
    run = start_now(mailing)
    sent = run.deliveries.values("pk")[:2]
    Delivery.objects.filter(pk__in=list(sent.values_list("pk", flat=True))).update(
        state="accepted", account=account, paced_at=timezone.now(), handed_at=timezone.now()
    )
    page = editor.get(reverse("massmail_mailings:inspect", args=[mailing.pk])).content.decode()
    assert "Nothing leaves before" in page
    assert "limit of mails an hour is used up" in page
    assert "Mails are leaving" not in page
    assert "it takes about" in page
