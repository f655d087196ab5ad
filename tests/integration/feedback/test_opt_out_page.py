"""The opt-out page: what a recipient sees, what it does, and what it refuses."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from massmail_plugin import tokens
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.delivery.ledger import claiming, fence
from massmail_plugin.feedback import receipts
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.models import SenderAccount
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ListOptOut
from massmail_plugin.tokens import Purpose
from tests.builders import a_contact, a_target_list
from tests.integration.feedback.conftest import ADDRESS, Sent, send_to

THESE, EVERYTHING, UNDO = {"wish": "these"}, {"wish": "everything"}, {"wish": "undo"}


@pytest.fixture
def browser() -> Client:
    """A browser without cookies, against a site that checks for CSRF."""
    return Client(enforce_csrf_checks=True)


def left_lists(sent: Sent) -> set[str]:
    return set(ListOptOut.objects.filter(address=sent.address).values_list("scope", flat=True))


def receipt_in(html: str) -> str:
    found = re.search(r'name="receipt" value="([^"]+)"', html)
    assert found, html
    return found[1]


def leave(browser: Client, sent: Sent, wish: dict[str, str] = THESE) -> str:
    """Press a button of the page; return the HTML that the browser ends on."""
    return browser.post(sent.opt_out_url(), wish, follow=True).content.decode()


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(browser: Client, sent: Sent, method: str) -> None:
    for url in (sent.opt_out_url(), sent.one_click_url(), sent.opt_out_url() + "?wish=these&undone=1"):
        assert getattr(browser, method)(url).status_code == 200
    assert not ConsentEvent.objects.exists()
    assert sent.kinds() == []
    assert sent.address.is_mailable


def test_the_page_says_who_and_what(browser: Client, sent: Sent) -> None:
    html = browser.get(sent.opt_out_url()).content.decode()
    assert "ad•••@customers.example" in html
    assert ADDRESS not in html
    assert "Customers" in html
    assert "Fair 2026" in html
    assert "<script" not in html
    assert "style=" not in html


def test_one_button_leaves_the_lists_of_the_campaign(browser: Client, sent: Sent) -> None:
    html = leave(browser, sent)
    assert "Done" in html
    assert left_lists(sent) == set(sent.run.list_scopes)
    assert sent.address.is_mailable, "Other lists may still write."
    assert sent.kinds() == ["opted_out"]


def test_the_other_button_leaves_everything(browser: Client, sent: Sent) -> None:
    html = leave(browser, sent, EVERYTHING)
    assert "gets no mailing from us any more" in html
    assert sent.address.opted_out_since
    assert left_lists(sent) == set()


def test_a_mailing_may_mean_everything(browser: Client, lists: tuple[TargetListPage, ...]) -> None:
    sent = send_to(lists, opt_out_entirely=True)
    html = browser.get(sent.opt_out_url()).content.decode()
    assert html.count("<button") == 1, "There is only one thing to choose."
    assert "Customers" not in html
    leave(browser, sent)
    assert sent.address.opted_out_since


def test_a_run_without_lists_opts_out_of_everything(browser: Client, sent: Sent) -> None:
    type(sent.run).objects.filter(pk=sent.run.pk).update(list_scopes={})
    leave(browser, sent)
    assert sent.address.opted_out_since, "An opt-out must never be without effect."


def test_what_is_written_down_proves_it(browser: Client, sent: Sent) -> None:
    browser.post(
        sent.opt_out_url(), THESE, headers={"user-agent": "Mozilla/5.0 <b>x</b>"}, REMOTE_ADDR="192.0.2.7"
    )
    for event in ConsentEvent.objects.all():
        assert event.method == ConsentEvent.Method.LINK
        assert event.kind == ConsentEvent.Kind.OPT_OUT
        assert event.scope_label in ("Customers", "Fair 2026")
        assert event.proof == {
            "delivery": sent.delivery.pk,
            "ip": "192.0.2.7",
            "user_agent": "Mozilla/5.0 <b>x</b>",
        }


def test_pressing_twice_is_written_down_once(browser: Client, sent: Sent) -> None:
    leave(browser, sent)
    html = leave(browser, sent)
    assert "You have already left" in html
    assert ConsentEvent.objects.count() == 2, "One for each list."
    assert sent.kinds() == ["opted_out"]


def test_undo_takes_back_what_the_page_did_and_nothing_else(browser: Client, sent: Sent) -> None:
    earlier = consent.Scope(next(iter(sent.run.list_scopes)), "Customers")
    consent.opt_out(sent.address, [earlier], consent.How(ConsentEvent.Method.OPERATOR))
    html = leave(browser, sent)
    html = leave(browser, sent, UNDO | {"receipt": receipt_in(html)})
    assert left_lists(sent) == {earlier.key}
    assert ConsentEvent.objects.filter(method=ConsentEvent.Method.UNDO).count() == 1
    assert "Stop these mails" in html


def test_undo_puts_everything_right_again(browser: Client, sent: Sent) -> None:
    html = leave(browser, sent, EVERYTHING)
    html = leave(browser, sent, UNDO | {"receipt": receipt_in(html)})
    assert sent.address.is_mailable
    assert "Undone" in html
    assert sent.kinds() == ["opted_in", "opted_out"]


def test_undo_does_not_touch_what_was_said_later(browser: Client, sent: Sent) -> None:
    receipt = receipt_in(leave(browser, sent))
    how = consent.How(ConsentEvent.Method.OPERATOR, reason="told us on the phone")
    consent.opt_out(sent.address, sent.run.opt_out_scopes, how)
    leave(browser, sent, UNDO | {"receipt": receipt})
    assert left_lists(sent) == set(sent.run.list_scopes)


def test_undo_does_not_take_back_a_complaint(browser: Client, sent: Sent) -> None:
    receipt = receipt_in(leave(browser, sent, EVERYTHING))
    consent.record_complaint(sent.address, consent.How(ConsentEvent.Method.PROVIDER))
    leave(browser, sent, UNDO | {"receipt": receipt})
    assert sent.address.opted_out_since


def test_who_only_has_the_mail_cannot_opt_anybody_in_again(browser: Client, sent: Sent) -> None:
    leave(browser, sent)
    for receipt in ("", "x", "a:b:c", receipt_of_somebody_else(browser, sent)):
        assert "too late" in leave(browser, sent, UNDO | {"receipt": receipt})
    assert left_lists(sent) == set(sent.run.list_scopes)


def receipt_of_somebody_else(browser: Client, sent: Sent) -> str:
    bob = Sent(Delivery.objects.get(run=sent.run, email="bob@customers.example"))
    return receipt_in(leave(browser, bob))


def test_undo_is_over_after_a_day(browser: Client, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = receipt_in(leave(browser, sent))
    monkeypatch.setattr(receipts, "UNDO_SECONDS", -1)
    assert "too late" in leave(browser, sent, UNDO | {"receipt": receipt})
    assert left_lists(sent) == set(sent.run.list_scopes)


def test_the_page_never_claims_what_does_not_hold(browser: Client, sent: Sent) -> None:
    done = browser.post(sent.opt_out_url(), THESE)["Location"]
    undone = sent.opt_out_url() + "?undone=1"
    assert "Undone" not in browser.get(undone).content.decode()
    consent.opt_in(sent.address, sent.run.opt_out_scopes, consent.How(ConsentEvent.Method.OPERATOR))
    assert "Done" not in browser.get(done).content.decode()


def test_an_opt_out_works_after_the_delivery_is_gone(browser: Client, sent: Sent) -> None:
    url = sent.opt_out_url()
    sent.delivery.delete()
    assert (
        "any mailing" in browser.get(url).content.decode()
        or "no mailing" in browser.get(url).content.decode()
    )
    browser.post(url, THESE)
    assert EmailAddress.objects.get(key=ADDRESS).opted_out_since


def test_a_token_whose_address_is_not_the_deliverys_acts_on_its_own_address(
    browser: Client, sent: Sent
) -> None:
    bob = EmailAddress.objects.get(key="bob@customers.example")
    token = tokens.make(Purpose.OPT_OUT, sent.delivery.pk, bob.pk)
    browser.post(reverse("massmail:opt_out", args=[token]), THESE)
    bob.refresh_from_db()
    assert bob.opted_out_since
    assert sent.address.is_mailable
    assert not left_lists(sent)


def bad_tokens(sent: Sent) -> list[str]:
    good = sent.opt_out_token()
    flipped = [good[:n] + ("A" if good[n] != "A" else "B") + good[n + 1 :] for n in range(len(good) - 1)]
    others = [
        tokens.make(purpose, sent.delivery.pk, sent.delivery.address_id)
        for purpose in Purpose
        if purpose != "opt-out"
    ]
    wrong_shape = [tokens.make(Purpose.OPT_OUT, sent.delivery.pk), tokens.make(Purpose.OPT_OUT, 1, 2, 3)]
    nobody = [tokens.make(Purpose.OPT_OUT, sent.delivery.pk, 2**62)]
    return [*flipped, *others, *wrong_shape, *nobody, "x", "%00", "é", "a" * 5000, "..", "<script>"]


@pytest.mark.parametrize("page", ["opt_out", "one_click"])
def test_a_bad_token_does_nothing_and_does_not_claim_to(browser: Client, sent: Sent, page: str) -> None:
    for token in bad_tokens(sent):
        url = reverse(f"massmail:{page}", args=[token])
        for response in (
            browser.get(url),
            browser.post(url, {"List-Unsubscribe": "One-Click", "wish": "these"}),
        ):
            assert response.status_code == 404, token
            html = response.content.decode()
            assert "Nothing has been changed" in html
            assert "<script" not in html
    assert not ConsentEvent.objects.exists()


def test_a_test_mail_says_so_and_changes_nothing(browser: Client, sent: Sent) -> None:
    token = tokens.make(Purpose.OPT_OUT, 0, sent.delivery.address_id)
    for page in ("opt_out", "one_click"):
        url = reverse(f"massmail:{page}", args=[token])
        for response in (browser.get(url), browser.post(url, {"List-Unsubscribe": "One-Click"})):
            assert response.status_code == 200
            assert "test mail" in response.content.decode()
    assert not ConsentEvent.objects.exists()


def test_html_in_a_list_title_is_text(browser: Client, db: None) -> None:
    hostile = a_target_list(a_contact(ADDRESS), title='<script>alert(1)</script> "&amp;')
    html = browser.get(send_to((hostile,)).opt_out_url()).content.decode()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;amp;" in html


def test_headers_keep_the_page_private(browser: Client, sent: Sent) -> None:
    for response in (browser.get(sent.opt_out_url()), browser.post(sent.opt_out_url(), THESE)):
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
        assert "no-store" in response["Cache-Control"]
        assert "noindex" in response["X-Robots-Tag"]
        assert not response.cookies


def test_other_methods_and_huge_bodies_are_refused(browser: Client, sent: Sent) -> None:
    assert browser.put(sent.opt_out_url()).status_code == 405
    assert browser.delete(sent.opt_out_url()).status_code == 405
    assert browser.post(sent.opt_out_url(), {"wish": "x" * 200_000}).status_code == 413
    assert not ConsentEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_opt_out_stops_the_mails_of_the_run_that_have_not_left(browser: Client, sent: Sent) -> None:
    account = SenderAccount.objects.get()
    Delivery.objects.filter(run=sent.run).update(state=DeliveryState.QUEUED, handed_at=None)
    claimed = {delivery.email: delivery for delivery in claiming.claim(account, 10)}
    leave(browser, sent)
    assert fence.commit_to_send([claimed["bob@customers.example"]])
    assert not fence.commit_to_send([claimed[ADDRESS]]), "The fence stands between the opt-out and the dot."


@pytest.mark.parametrize("wish", [THESE, EVERYTHING])
def test_the_next_mailing_leaves_them_out(
    browser: Client, sent: Sent, lists: tuple[TargetListPage, ...], wish: dict[str, str]
) -> None:
    leave(browser, sent, wish)
    again = send_to(lists).delivery
    assert again.state == DeliveryState.SKIPPED
    assert again.reason == ("opted_out" if wish == EVERYTHING else "opted_out_list")


def test_an_opt_out_settles_a_doubt(browser: Client, sent: Sent) -> None:
    sent.be(DeliveryState.IN_DOUBT, handed_at=None)
    leave(browser, sent)
    assert sent.state == DeliveryState.ACCEPTED


def test_links_older_than_a_key_change_still_work(browser: Client, sent: Sent, settings: object) -> None:
    settings.MASSMAIL = {"SECRET_KEYS": ["old"]}  # type: ignore[attr-defined]
    url = sent.opt_out_url()
    settings.MASSMAIL = {"SECRET_KEYS": ["new", "old"]}  # type: ignore[attr-defined]
    assert "Done" in browser.post(url, THESE, follow=True).content.decode()
    settings.MASSMAIL = {"SECRET_KEYS": ["new"]}  # type: ignore[attr-defined]
    assert browser.get(url).status_code == 404


def test_an_undo_does_not_take_back_a_later_no_that_was_said_in_another_way(
    browser: Client, sent: Sent
) -> None:
    receipt = receipt_in(leave(browser, sent))
    for _press in range(3):
        assert browser.post(sent.one_click_url(), {"List-Unsubscribe": "One-Click"}).status_code == 200
    browser.post(sent.opt_out_url(), {**UNDO, "receipt": receipt})

    assert left_lists(sent) == {scope.key for scope in sent.run.opt_out_scopes}
    assert ConsentEvent.objects.filter(method=ConsentEvent.Method.ONE_CLICK).count() == 2, (
        "Once for each list."
    )
