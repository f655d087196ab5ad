"""Public sign-up: the form, the mail, the button; and what strangers and robots learn and do there: nothing."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from wagtail.models import Locale

from massmail_plugin import preferences, tokens
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.sign_ups import LINK_IS_KNOWN, LINK_WORKS, SignUp
from massmail_plugin.delivery.single import sign_up_mails
from massmail_plugin.feedback import bots
from massmail_plugin.models import SenderAccount
from massmail_plugin.recipients import consent, erased
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.leaving import left_by
from massmail_plugin.recipients.models import ELSEWHERE, ConsentEvent, EmailAddress, ListOptOut, Subscriber
from massmail_plugin.tokens import Purpose
from tests.builders import a_contact, a_target_list, a_user, an_account, an_administrator
from tests.smtp_server import SmtpServer

pytestmark = pytest.mark.django_db

EVE = "Eve.New@customers.example"
EVES_KEY = EVE.lower()
OPERATOR = How(ConsentEvent.Method.OPERATOR)


@pytest.fixture
def browser() -> Client:
    """A browser without cookies, against a site that checks for CSRF."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def news(db: None) -> TargetListPage:
    return a_public_list("News & more")


def a_public_list(title: str, **fields: Any) -> TargetListPage:
    page = a_target_list(title=title)
    TargetListPage.objects.filter(pk=page.pk).update(is_public=True, **fields)
    return TargetListPage.objects.get(pk=page.pk)


def url(page: TargetListPage) -> str:
    return reverse("massmail:sign_up", args=[page.pk])


def fill_in(browser: Client, page: TargetListPage, email: str = EVE, **fields: str) -> Any:
    """Send the form as somebody does who has taken a while to fill it in."""
    with mock.patch.object(bots.time, "time", return_value=timezone.now().timestamp() - 30):
        stamp = bots.stamp(f"sign-up:{page.pk}")
    return browser.post(
        url(page),
        {"email": email, "name": "Eve", "website": "", "stamp": stamp, **fields},
        headers={"user-agent": "Mozilla/5.0"},
        REMOTE_ADDR=fields.pop("ip", "192.0.2.7"),
    )


def link(sign_up: SignUp) -> str:
    return reverse("massmail:confirm_sign_up", args=[tokens.make(Purpose.SIGN_UP, sign_up.pk)])


def sign_up(browser: Client, page: TargetListPage, email: str = EVE) -> EmailAddress:
    """Go the whole way; return the address."""
    fill_in(browser, page, email)
    asked = SignUp.objects.latest("pk")
    browser.post(link(asked), REMOTE_ADDR="192.0.2.8", headers={"user-agent": "Mail program"})
    return EmailAddress.objects.get(key=asked.key)


def test_a_private_list_has_no_page(browser: Client) -> None:
    page = a_target_list(title="Secret customers")
    for name in ("sign_up", "sign_up_sent"):
        response = browser.get(reverse(f"massmail:{name}", args=[page.pk]))
        assert response.status_code == 404
        assert "Secret" not in response.content.decode()
    assert fill_in(browser, page).status_code == 404
    assert not SignUp.objects.exists()


def test_a_draft_of_a_public_list_has_no_page_either(browser: Client, news: TargetListPage) -> None:
    TargetListPage.objects.filter(pk=news.pk).update(live=False)
    assert browser.get(url(news)).status_code == 404


def test_a_copy_of_a_public_list_is_private(news: TargetListPage) -> None:
    copied = news.copy(update_attrs={"title": "Copy", "slug": "copy"})
    assert not TargetListPage.objects.get(pk=copied.pk).is_public


def test_the_page_says_what_it_is_about_and_needs_no_scripts(browser: Client) -> None:
    page = a_public_list("News", sign_up_intro="<p>Once a <b>month</b></p>")
    html = browser.get(url(page)).content.decode()
    assert "<h1>News</h1>" in html
    assert "Once a <b>month</b>" in html
    assert "<script" not in html
    assert "style=" not in html
    assert "csrf" not in html


def test_who_confirms_is_in_with_proof_of_both_steps(browser: Client, news: TargetListPage) -> None:
    assert fill_in(browser, news).headers["Location"] == reverse("massmail:sign_up_sent", args=[news.pk])
    asked = SignUp.objects.get()
    assert not EmailAddress.objects.exists(), "Before the button nobody is known."
    assert not TargetListMember.objects.exists()

    page = browser.post(link(asked), REMOTE_ADDR="192.0.2.8", follow=True).content.decode()

    assert "You are signed up" in page
    subscriber = Subscriber.objects.get()
    assert (subscriber.email, subscriber.name, subscriber.language) == (EVE, "Eve", "en")
    member = news.members.get()
    assert (member.recipient_type, member.object_id) == ("massmail_plugin.subscriber", str(subscriber.pk))
    event = ConsentEvent.objects.get()
    assert (event.kind, event.method, event.scope) == ("opt_in", "sign_up", f"list:{news.pk}")
    assert event.address.key == EVES_KEY
    assert event.proof["ip"] == "192.0.2.8"
    assert event.proof["asked"]["ip"] == "192.0.2.7"
    assert event.proof["asked"]["user_agent"] == "Mozilla/5.0"
    assert event.proof["asked"]["form"]["list"] == news.pk
    assert event.proof["asked"]["form"]["sha256"]


def test_the_proof_tells_one_text_of_the_form_from_another(browser: Client, news: TargetListPage) -> None:
    fill_in(browser, news)
    TargetListPage.objects.filter(pk=news.pk).update(sign_up_intro="<p>Now daily</p>")
    fill_in(browser, news)
    first, second = SignUp.objects.order_by("pk")
    assert first.proof["form"]["sha256"] != second.proof["form"]["sha256"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_link_confirms_nothing(browser: Client, news: TargetListPage, method: str) -> None:
    fill_in(browser, news)
    assert getattr(browser, method)(link(SignUp.objects.get())).status_code == 200
    assert not EmailAddress.objects.exists()
    assert SignUp.objects.get().confirmed_at is None


def test_confirming_twice_is_recorded_once(browser: Client, news: TargetListPage) -> None:
    sign_up(browser, news)
    again = browser.post(link(SignUp.objects.get()), follow=True)
    assert "You are signed up" in again.content.decode()
    assert ConsentEvent.objects.count() == 1
    assert news.members.count() == 1


def test_somebody_of_the_crm_comes_in_by_their_record(browser: Client, news: TargetListPage) -> None:
    eve = a_contact(f" {EVE.upper()} ")
    sign_up(browser, news)
    member = news.members.get()
    assert (member.recipient_type, member.object_id) == ("crm.contact", str(eve.pk))
    assert not Subscriber.objects.exists()


def test_a_member_who_signs_up_again_is_in_once(browser: Client, news: TargetListPage) -> None:
    sign_up(browser, news)
    sign_up(browser, news, EVE.upper())
    assert news.members.count() == 1
    assert ConsentEvent.objects.filter(kind="opt_in").count() == 2


def test_who_had_left_the_list_is_in_again(browser: Client, news: TargetListPage) -> None:
    address = sign_up(browser, news)
    consent.opt_out(address, [news.consent_scope], OPERATOR)
    sign_up(browser, news)
    assert not ListOptOut.objects.exists()


def test_who_had_left_everything_comes_back_to_this_list_only(browser: Client, news: TargetListPage) -> None:
    other = a_target_list(title="Other")
    address = EmailAddress.objects.create(key=EVES_KEY)
    consent.opt_out(address, [Scope()], OPERATOR)

    address = sign_up(browser, news)

    assert address.is_mailable
    keys = [page.consent_scope.key for page in (news, other)]
    assert left_by(address, keys) == {other.consent_scope.key}
    told = list(address.consent_events.order_by("pk").values_list("kind", "scope"))
    assert told == [
        ("opt_out", ""),
        ("opt_in", ""),
        ("opt_out", ELSEWHERE),
        ("opt_in", f"list:{news.pk}"),
    ]


@pytest.mark.parametrize("state", ["complained", "invalid", "erased"])
def test_a_proved_wish_is_newer_than_whatever_was_in_the_way(
    browser: Client, news: TargetListPage, state: str
) -> None:
    if state == "erased":
        erased.erase_address(EVES_KEY, OPERATOR)
    else:
        address = EmailAddress.objects.create(key=EVES_KEY)
        {"complained": consent.record_complaint, "invalid": consent.mark_invalid}[state](address, OPERATOR)
    assert sign_up(browser, news).is_mailable
    assert erased.erased_keys([EVES_KEY]) == set()


def test_the_answer_tells_nothing_about_an_address(browser: Client, news: TargetListPage) -> None:
    known = sign_up(browser, news)
    refusing = EmailAddress.objects.create(key="no@customers.example")
    consent.record_complaint(refusing, OPERATOR)
    erased.erase_address("gone@customers.example", OPERATOR)
    answers = {
        (answer.status_code, answer.headers["Location"], answer.content)
        for email in (known.key, refusing.key, "gone@customers.example", "stranger@customers.example")
        for answer in [fill_in(browser, news, email)]
    }
    assert len(answers) == 1


def test_the_same_work_is_done_for_every_address(browser: Client, news: TargetListPage) -> None:
    sign_up(browser, news)
    fill_in(browser, news, "warm@up.example")
    counts = []
    for email in (EVE, "stranger@customers.example"):
        with CaptureQueriesContext(connection) as queries:
            fill_in(browser, news, email)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "   ",
        "eve",
        "eve@",
        "a b@c.example",
        "eve@x..example",
        "a@b.example\r\nBcc: c@d.example",
        "x" * 300,
    ],
)
def test_a_mistyped_address_is_told_and_nothing_is_lost(
    browser: Client, news: TargetListPage, email: str
) -> None:
    response = fill_in(browser, news, email)
    html = response.content.decode()
    assert response.status_code == 400
    assert 'aria-invalid="true"' in html
    assert 'value="Eve"' in html, "What was typed stays."
    assert not SignUp.objects.exists()


def test_hostile_text_stays_text(browser: Client, news: TargetListPage) -> None:
    html = fill_in(browser, news, '"><script>alert(1)</script>', name="<b>x</b>{{ 7 }}").content.decode()
    assert "<script" not in html
    assert "<b>x</b>" not in html


def test_a_robot_is_told_what_everybody_is_told(browser: Client, news: TargetListPage) -> None:
    response = fill_in(browser, news, website="https://spam.example")
    assert response.headers["Location"] == reverse("massmail:sign_up_sent", args=[news.pk])
    assert not SignUp.objects.exists()


def test_a_form_that_is_sent_at_once_is_asked_for_again(browser: Client, news: TargetListPage) -> None:
    html = browser.get(url(news)).content.decode()
    stamp = re.search(r'name="stamp" value="([^"]+)"', html)
    assert stamp
    for bad in (stamp[1], "", "forged", bots.stamp("sign-up:999")):
        response = browser.post(url(news), {"email": EVE, "name": "Eve", "stamp": bad})
        assert response.status_code == 400
        assert "once more" in response.content.decode()
        assert f'value="{EVE}"' in response.content.decode()
    assert not SignUp.objects.exists()


def test_the_second_press_counts_from_the_first_sight_of_the_form(
    browser: Client, news: TargetListPage
) -> None:
    html = browser.get(url(news)).content.decode()
    for _press in range(2):
        stamp = re.search(r'name="stamp" value="([^"]+)"', html)
        assert stamp
        html = browser.post(url(news), {"email": EVE, "stamp": stamp[1]}).content.decode()
    later = timezone.now().timestamp() + 3
    with mock.patch.object(bots.time, "time", return_value=later):
        assert browser.post(url(news), {"email": EVE, "stamp": stamp[1]}).status_code == 302


def test_a_stamp_from_last_week_counts_no_more(browser: Client, news: TargetListPage) -> None:
    with mock.patch.object(bots.time, "time", return_value=timezone.now().timestamp() - 7 * 86400):
        stamp = bots.stamp(f"sign-up:{news.pk}")
    assert browser.post(url(news), {"email": EVE, "stamp": stamp}).status_code == 400


def test_one_address_gets_few_mails_and_nobody_is_told(browser: Client, news: TargetListPage) -> None:
    answers = {fill_in(browser, news, EVE if n % 2 else EVE.upper()).status_code for n in range(6)}
    assert answers == {302}
    assert SignUp.objects.count() == 3


def test_one_network_may_send_few_forms(browser: Client, news: TargetListPage) -> None:
    for n in range(30):
        assert fill_in(browser, news, f"person{n}@customers.example").status_code == 302
    refused = fill_in(browser, news, "one.more@customers.example")
    assert refused.status_code == 429
    assert "Try again in an hour" in refused.content.decode()
    assert fill_in(browser, news, "elsewhere@customers.example", ip="192.0.2.99").status_code == 302


@pytest.mark.parametrize("token", ["x", "AAAA", "%00", tokens.make(Purpose.OPT_OUT, 1)])
def test_a_link_that_we_have_not_made_leads_nowhere(
    browser: Client, news: TargetListPage, token: str
) -> None:
    fill_in(browser, news)
    assert browser.post(f"/mail/confirm/{token}/").status_code == 404
    assert not EmailAddress.objects.exists()


def test_a_link_that_is_too_old_confirms_nothing(browser: Client, news: TargetListPage) -> None:
    fill_in(browser, news)
    asked = SignUp.objects.get()
    SignUp.objects.update(asked_at=timezone.now() - LINK_WORKS)
    response = browser.post(link(asked))
    assert response.status_code == 410
    assert url(news) in response.content.decode()
    assert not EmailAddress.objects.exists()


def test_a_list_that_was_closed_lets_nobody_in(browser: Client, news: TargetListPage) -> None:
    fill_in(browser, news)
    TargetListPage.objects.filter(pk=news.pk).update(is_public=False)
    assert browser.post(link(SignUp.objects.get())).status_code == 410
    assert not EmailAddress.objects.exists()


def test_the_pages_speak_the_lists_language(browser: Client, news: TargetListPage) -> None:
    german = Locale.objects.create(language_code="de")
    TargetListPage.objects.filter(pk=news.pk).update(locale=german)
    assert '<html lang="de"' in browser.get(url(news)).content.decode()
    sign_up(browser, news)
    assert Subscriber.objects.get().language == "de"


class TestMail:
    """The confirmation mail leaves through an account, once."""

    def test_it_holds_the_link_and_nothing_that_was_typed(
        self, browser: Client, news: TargetListPage, smtp_server: SmtpServer
    ) -> None:
        an_account(smtp_server)
        fill_in(browser, news, name="Buy at spam.example!")
        assert sign_up_mails.are_waiting()
        assert sign_up_mails.send_waiting() == 1
        (received,) = smtp_server.mails
        address = preferences.load().base_url + link(SignUp.objects.get())
        assert address in received.text
        assert address in received.html
        mail = received.message
        assert mail["To"] == "Eve.New@customers.example"
        assert mail["Subject"] == "Please confirm: News & more"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert "List-Unsubscribe" not in mail
        assert "spam.example" not in mail.as_string()

    def test_it_is_sent_once(self, browser: Client, news: TargetListPage, smtp_server: SmtpServer) -> None:
        an_account(smtp_server)
        fill_in(browser, news)
        sign_up_mails.send_waiting()
        assert sign_up_mails.send_waiting() == 0
        assert len(smtp_server.mails) == 1

    def test_it_waits_for_an_account(
        self, browser: Client, news: TargetListPage, smtp_server: SmtpServer
    ) -> None:
        account = an_account(smtp_server, state=SenderAccount.State.FAULTY)
        fill_in(browser, news)
        assert sign_up_mails.send_waiting() == 0
        SenderAccount.objects.filter(pk=account.pk).update(state=SenderAccount.State.READY)
        assert sign_up_mails.send_waiting() == 1

    def test_a_server_that_is_away_uses_up_no_attempt(self, browser: Client, news: TargetListPage) -> None:
        an_account()
        fill_in(browser, news)
        assert sign_up_mails.send_waiting() == 0
        asked = SignUp.objects.get()
        assert asked.attempts == 0
        assert asked.next_attempt_at is not None
        assert asked.next_attempt_at > timezone.now()

    def test_it_leaves_through_the_list_owners_account(
        self, browser: Client, news: TargetListPage, smtp_server: SmtpServer
    ) -> None:
        owner = a_user()
        TargetListPage.objects.filter(pk=news.pk).update(owner=owner)
        an_account(smtp_server, from_email="everybody@sandbox.example")
        an_account(smtp_server, owner=owner, from_email="owner@sandbox.example")
        fill_in(browser, news)
        sign_up_mails.send_waiting()
        assert "owner@sandbox.example" in smtp_server.mails[0].message["From"]

    def test_old_sign_ups_are_forgotten(self, browser: Client, news: TargetListPage) -> None:
        sign_up(browser, news)
        fill_in(browser, news, "never@confirmed.example")
        SignUp.objects.update(asked_at=timezone.now() - LINK_IS_KNOWN)
        sign_up_mails.send_waiting()
        assert not SignUp.objects.exists()
        assert not sign_up_mails.are_waiting()


def test_the_addresses_of_one_ipv6_network_are_counted_together(
    browser: Client, news: TargetListPage
) -> None:
    """Each customer of a provider has a /64 at least: 2 to the power of 64 addresses to fill in forms from."""
    for number in range(30):
        assert (
            fill_in(browser, news, f"p{number}@customers.example", ip=f"2001:db8::{number:x}").status_code
            == 302
        )
    assert fill_in(browser, news, ip="2001:db8::ffff:ffff").status_code == 429
    assert fill_in(browser, news, ip="2001:db8:0:1::1").status_code == 302


def test_the_form_of_a_public_list_says_that_no_account_can_confirm(
    client: Client, news: TargetListPage
) -> None:
    client.force_login(an_administrator())
    edit = reverse("wagtailadmin_pages:edit", args=[news.pk])

    assert "no account is ready" in client.get(edit).content.decode()
    account = an_account()
    assert "no account is ready" not in client.get(edit).content.decode()
    SenderAccount.objects.filter(pk=account.pk).update(state=SenderAccount.State.OFF)
    assert "no account is ready" in client.get(edit).content.decode()


def test_saving_a_list_that_becomes_public_says_that_no_account_can_confirm(client: Client) -> None:
    client.force_login(an_administrator())
    page = a_target_list(title="Private")
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    assert "no account is ready" not in client.get(edit).content.decode()

    form = {"title": "Private", "description": "", "is_public": "on", "action-publish": "1"}
    form |= dict.fromkeys(("sign_up_intro", "sign_up_thanks", "goodbye"), "null")
    assert "no account is ready" in client.post(edit, form, follow=True).content.decode()


@pytest.mark.parametrize("number", ["99999999999999999999999999", "0", "-1", "1e3"])
def test_numbers_of_no_list_are_no_fault(browser: Client, number: str) -> None:
    assert browser.get(f"/mail/list/{number}/").status_code == 404


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_other_methods_change_nothing(browser: Client, news: TargetListPage, method: str) -> None:
    assert getattr(browser, method)(url(news)).status_code == 405
    assert not SignUp.objects.exists()
