"""The preference page: what somebody sees there, what one press changes, and what nobody can do with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from massmail_plugin import tokens
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.feedback import erasing
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.leaving import left_by
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ListOptOut, Subscriber
from massmail_plugin.recipients.subscribers import ensure_subscriber
from massmail_plugin.tokens import Purpose
from sandbox.crm.models import Contact
from tests.audiences import candidates_of
from tests.builders import a_contact, a_segment, a_target_list
from tests.integration.feedback.conftest import ADDRESS, Sent

OPERATOR = How(ConsentEvent.Method.OPERATOR)


@pytest.fixture
def browser() -> Client:
    """A browser without cookies, against a site that checks for CSRF."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def news(db: None) -> TargetListPage:
    """A public list that Ada is not in."""
    page = a_target_list(a_contact("somebody@else.example"), title="News")
    TargetListPage.objects.filter(pk=page.pk).update(is_public=True)
    return page


@pytest.fixture
def secret(db: None) -> TargetListPage:
    return a_target_list(a_contact("another@else.example"), title="Secret")


def url(sent: Sent) -> str:
    token = tokens.make(Purpose.PREFERENCES, sent.delivery.pk, sent.delivery.address_id)
    return reverse("massmail:preferences", args=[token])


def ticked(html: str) -> dict[str, bool]:
    """Return the lists that the page offers, and whether each is ticked."""
    boxes = re.findall(
        r'<input type="checkbox" name="wanted" value="[^"]+"( checked)?>\s*([^<]+?)\s*</label>', html
    )
    return {label: bool(checked) for checked, label in boxes}


def offered(html: str) -> list[str]:
    return re.findall(r'name="offered" value="([^"]+)"', html)


def look(browser: Client, sent: Sent) -> str:
    return browser.get(url(sent)).content.decode()


def save(browser: Client, sent: Sent, *wanted: str, **fields: Any) -> str:
    """Tick exactly these lists, by title, and save; return the page that follows."""
    html = look(browser, sent)
    keys = dict(zip(ticked(html), offered(html), strict=True))
    data = {"offered": offered(html), "wanted": [keys[title] for title in wanted], "wish": "save", **fields}
    return browser.post(url(sent), data, follow=True).content.decode()


def press(browser: Client, sent: Sent, wish: str, **fields: Any) -> str:
    return browser.post(url(sent), {"wish": wish, **fields}, follow=True).content.decode()


def receipt_in(html: str) -> str:
    found = re.search(r'name="receipt" value="([^"]+)"', html)
    assert found, html
    return found[1]


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(browser: Client, sent: Sent, news: TargetListPage, method: str) -> None:
    address = url(sent) + "?wish=everything&wanted=list:1&saved=1&undone=1"
    assert getattr(browser, method)(address).status_code == 200
    assert not ConsentEvent.objects.exists()
    assert not news.members.filter(recipient_type="massmail_plugin.subscriber").exists()


def test_it_shows_what_one_is_in_and_what_is_public(
    browser: Client, sent: Sent, news: TargetListPage, secret: TargetListPage
) -> None:
    html = look(browser, sent)
    assert ticked(html) == {"Customers": True, "Fair 2026": True, "News": False}
    assert "ad•••@customers.example" in html
    assert ADDRESS not in html
    assert "Secret" not in html
    assert "<script" not in html
    assert "style=" not in html


def test_a_list_that_only_a_live_segment_brings_somebody_into_is_offered_and_can_be_left(
    browser: Client, sent: Sent
) -> None:
    Contact.objects.filter(email=ADDRESS).update(city="Dublin")
    for title, city in (("All of Dublin", "dublin"), ("All of Cork", "cork")):
        page = a_target_list(title=title)
        page.live_segments.set([a_segment(city=city)])
        page.save()
    assert ticked(look(browser, sent)) == {"Customers": True, "Fair 2026": True, "All of Dublin": True}
    save(browser, sent, "Customers", "Fair 2026")
    assert ticked(look(browser, sent))["All of Dublin"] is False
    dublin = TargetListPage.objects.get(title="All of Dublin")
    assert ListOptOut.objects.filter(address=sent.address, scope=dublin.consent_scope.key).exists()


def test_a_list_from_which_nothing_comes_since_its_segment_was_left_is_not_ticked_before_they_tick_it(
    browser: Client, sent: Sent
) -> None:
    segment, page = a_segment(), a_target_list(title="Kept up")
    page.live_segments.set([segment])
    page.save()
    consent.opt_out(sent.address, [segment.consent_scope], How(ConsentEvent.Method.LINK))
    assert ticked(look(browser, sent))["Kept up"] is False

    html = save(browser, sent, "Customers", "Fair 2026", "Kept up")
    assert ticked(html)["Kept up"] is True
    assert [row.reason for row in candidates_of([page]) if row.key == ADDRESS] == [""]
    html = save(browser, sent)
    assert ticked(html)["Kept up"] is False


def test_a_live_segment_that_cannot_be_used_leaves_the_page_as_it_is(browser: Client, sent: Sent) -> None:
    page = a_target_list(title="Nobody knows")
    page.live_segments.set([a_segment(no_such_filter="x")])
    page.save()
    assert ticked(look(browser, sent)) == {"Customers": True, "Fair 2026": True}


def test_leaving_one_list_keeps_the_others(browser: Client, sent: Sent) -> None:
    html = save(browser, sent, "Customers", reason="Too many\x00 fairs")
    assert ticked(html) == {"Customers": True, "Fair 2026": False}
    assert sent.address.is_mailable
    event = ConsentEvent.objects.get()
    assert (event.kind, event.method, event.scope_label) == ("opt_out", "preferences", "Fair 2026")
    assert event.reason == "Too many fairs"
    assert event.proof["delivery"] == sent.delivery.pk
    assert event.proof["ip"] == "127.0.0.1"
    assert sent.kinds() == ["opted_out"], "It counts for the mailing that it came from."


def test_saving_what_is_there_says_and_changes_nothing(
    browser: Client, sent: Sent, news: TargetListPage
) -> None:
    html = save(browser, sent, "Customers", "Fair 2026")
    assert "Nothing had changed" in html
    assert not ConsentEvent.objects.exists()


def test_joining_a_public_list_makes_a_member_of_the_record(
    browser: Client, sent: Sent, news: TargetListPage
) -> None:
    html = save(browser, sent, "Customers", "Fair 2026", "News")
    assert ticked(html)["News"]
    ada = Contact.objects.get(email=ADDRESS)
    assert news.members.filter(recipient_type="crm.contact", object_id=str(ada.pk)).exists()
    event = ConsentEvent.objects.get()
    assert (event.kind, event.scope, event.method) == ("opt_in", f"list:{news.pk}", "preferences")


def test_leaving_everything_and_coming_back_to_one_list(
    browser: Client, sent: Sent, news: TargetListPage, secret: TargetListPage
) -> None:
    html = press(browser, sent, "everything", reason="Retired")
    assert sent.address.opted_out_since
    assert "You get no mailing" in html
    assert not any(ticked(html).values())

    html = save(browser, sent, "News")

    assert ticked(html) == {"Customers": False, "Fair 2026": False, "News": True}
    assert sent.address.is_mailable
    keys = {*sent.run.list_scopes, f"list:{secret.pk}", f"list:{a_target_list(title='Later').pk}"}
    assert left_by(sent.address, {*keys, f"list:{news.pk}"}) == keys


def test_a_list_that_was_made_after_somebody_came_back_is_not_ticked_before_they_tick_it(
    browser: Client, sent: Sent, news: TargetListPage
) -> None:
    press(browser, sent, "everything")
    save(browser, sent, "News")
    later = a_target_list(*Contact.objects.all(), title="Later")

    assert ticked(look(browser, sent))["Later"] is False
    assert ticked(save(browser, sent, "News", "Later"))["Later"] is True
    assert left_by(sent.address, [later.consent_scope.key]) == set()


def test_undo_puts_everything_back(browser: Client, sent: Sent, news: TargetListPage) -> None:
    html = save(browser, sent, "Fair 2026", "News")
    html = press(browser, sent, "undo", receipt=receipt_in(html))
    assert "Undone" in html
    assert ticked(html) == {"Customers": True, "Fair 2026": True, "News": False}
    assert ConsentEvent.objects.filter(method="undo").count() == 2


def test_undo_of_coming_back_leaves_everything_again(
    browser: Client, sent: Sent, news: TargetListPage
) -> None:
    press(browser, sent, "everything")
    html = save(browser, sent, "News")
    html = press(browser, sent, "undo", receipt=receipt_in(html))
    assert sent.address.opted_out_since
    assert not any(ticked(html).values())


def test_undo_of_leaving_everything(browser: Client, sent: Sent) -> None:
    html = press(browser, sent, "everything")
    press(browser, sent, "undo", receipt=receipt_in(html))
    assert sent.address.is_mailable


def test_undo_needs_the_receipt_of_this_address(browser: Client, sent: Sent) -> None:
    receipt = receipt_in(save(browser, sent, "Customers"))
    for wrong in ("", "forged", receipt[:-2]):
        assert "too late" in press(browser, sent, "undo", receipt=wrong)
    bobs = Delivery.objects.get(email="bob@customers.example")
    assert "too late" in press(browser, Sent(bobs), "undo", receipt=receipt)
    assert ListOptOut.objects.count() == 1


def test_undo_does_not_touch_what_was_said_later(browser: Client, sent: Sent) -> None:
    receipt = receipt_in(save(browser, sent, "Customers"))
    fair = Scope(*next(item for item in sent.run.list_scopes.items() if item[1] == "Fair 2026"))
    consent.opt_out(sent.address, [fair], OPERATOR)
    press(browser, sent, "undo", receipt=receipt)
    assert ListOptOut.objects.filter(scope=fair.key).exists()


def test_nobody_gets_into_a_list_that_was_not_offered(
    browser: Client, sent: Sent, secret: TargetListPage
) -> None:
    key = f"list:{secret.pk}"
    press(browser, sent, "save", offered=[key, "", "list:x", "segment:9"], wanted=[key, "", "list:x"])
    assert secret.members.count() == 1
    assert not ConsentEvent.objects.exists()


def test_what_the_page_did_not_show_is_not_changed(browser: Client, sent: Sent, news: TargetListPage) -> None:
    """A list may become public, or somebody be put in one, while the page is open."""
    press(browser, sent, "save", offered=[f"list:{news.pk}"], wanted=[f"list:{news.pk}"])
    assert ticked(look(browser, sent)) == {"Customers": True, "Fair 2026": True, "News": True}


def test_somebody_who_complained_cannot_be_put_back_here(
    browser: Client, sent: Sent, news: TargetListPage
) -> None:
    consent.record_complaint(sent.address, OPERATOR)
    html = look(browser, sent)
    assert "reported a mail as spam" in html
    assert ticked(html) == {}
    press(browser, sent, "save", offered=[f"list:{news.pk}"], wanted=[f"list:{news.pk}"])
    assert not sent.address.is_mailable


def test_it_works_without_the_record_the_lists_and_the_mail(browser: Client, sent: Sent) -> None:
    address = url(sent)
    Contact.objects.all().delete()
    for page in TargetListPage.objects.all():
        page.delete()
    Delivery.objects.filter(run=sent.run).delete()
    html = browser.get(address).content.decode()
    assert ticked(html) == {}
    assert "Stop all mailings" in html
    browser.post(address, {"wish": "everything"})
    assert EmailAddress.objects.get(key=ADDRESS).opted_out_since


def test_a_record_that_has_got_another_address_shows_none_of_its_lists(browser: Client, sent: Sent) -> None:
    """The mail itself went to both lists; what was found by the record since then is not Ada's business."""
    later = a_target_list(Contact.objects.get(email=ADDRESS), title="For the successor")
    Contact.objects.filter(email=ADDRESS).update(email="successor@customers.example")
    assert later.title not in look(browser, sent)


def test_a_subscriber_sees_the_lists_of_both_records(browser: Client, sent: Sent) -> None:
    subscriber, _created = ensure_subscriber(ADDRESS)
    a_target_list(subscriber, title="Signed up")
    assert ticked(look(browser, sent))["Signed up"]


def test_an_erased_person_is_told_so(browser: Client, sent: Sent) -> None:
    address = url(sent)
    erasing.erase(ADDRESS, OPERATOR)
    for response in (browser.get(address), browser.post(address, {"wish": "everything"})):
        assert "erased" in response.content.decode()
    assert ConsentEvent.objects.count() == 1


def test_a_test_mail_changes_nothing(browser: Client, sent: Sent) -> None:
    address = reverse("massmail:preferences", args=[tokens.make(Purpose.PREFERENCES, 0, 0)])
    assert "test mail" in browser.post(address, {"wish": "everything"}).content.decode()
    assert not ConsentEvent.objects.exists()


def test_another_links_token_opens_nothing(browser: Client, sent: Sent) -> None:
    for token in (sent.opt_out_token(), tokens.make(Purpose.PREFERENCES, 1, 2**62), "x"):
        assert browser.post(f"/mail/preferences/{token}/", {"wish": "everything"}).status_code == 404
    assert not ConsentEvent.objects.exists()


def test_the_opt_out_page_leads_there(browser: Client, sent: Sent) -> None:
    html = browser.get(sent.opt_out_url()).content.decode()
    assert url(sent) in html


def test_opening_it_proves_that_the_mail_arrived(browser: Client, sent: Sent) -> None:
    sent.be(DeliveryState.IN_DOUBT)
    look(browser, sent)
    assert sent.state == DeliveryState.ACCEPTED


def test_who_leaves_is_told_the_editors_goodbye(browser: Client, sent: Sent) -> None:
    TargetListPage.objects.filter(title="Fair 2026").update(goodbye="<p>See you at the <b>next</b> fair</p>")
    assert "next</b> fair" in save(browser, sent, "Customers")
    assert "next</b> fair" not in look(browser, sent)


def test_titles_are_text(browser: Client, sent: Sent, news: TargetListPage) -> None:
    TargetListPage.objects.filter(pk=news.pk).update(title="<script>alert(1)</script>")
    assert "<script" not in look(browser, sent)


def test_the_same_number_of_queries_for_few_and_many_lists(
    browser: Client, sent: Sent, django_assert_max_num_queries: Any
) -> None:
    ada = Contact.objects.get(email=ADDRESS)
    look(browser, sent)
    for n in range(12):
        a_target_list(ada, title=f"List {n}")
    with django_assert_max_num_queries(16):
        assert len(ticked(look(browser, sent))) == 14


def test_no_subscriber_is_made_of_somebody_the_crm_knows(
    browser: Client, sent: Sent, news: TargetListPage
) -> None:
    save(browser, sent, "News")
    assert not Subscriber.objects.exists()
