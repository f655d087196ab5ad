"""What providers report: tied to the right mail, counted once, obeyed, and the same in every order."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent, tracking
from django.db import OperationalError, transaction
from django.urls import reverse
from django.utils import timezone

from massmail_plugin import preferences, tokens
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.delivery.mails.messages import message_id
from massmail_plugin.feedback import events as feedback_events
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.models import SenderAccount
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ListOptOut
from massmail_plugin.tokens import Purpose
from tests.integration.feedback.conftest import ADDRESS, SHOP, Sent, send_to

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
GONE = "550 5.1.1 <ada.byron@customers.example>: Recipient address rejected: User unknown"
FULL = "452 4.2.2 Mailbox full"

Event = Callable[..., AnymailTrackingEvent]


@pytest.fixture
def event(sent: Sent) -> Event:
    """Make an event about Ada's mail, as a provider that hands our metadata back would report it."""

    def make(event_type: str, **fields: Any) -> AnymailTrackingEvent:
        about = {
            "metadata": {"massmail_delivery": str(sent.delivery.pk)},
            "recipient": ADDRESS,
            "timestamp": AT,
        }
        return AnymailTrackingEvent(event_type=event_type, **{**about, **fields})

    return make


def report(*events: AnymailTrackingEvent, esp: str = "Mailgun") -> None:
    for event in events:
        tracking.send(sender=None, event=event, esp_name=esp)


def left_lists(sent: Sent) -> set[str]:
    return set(ListOptOut.objects.filter(address=sent.address).values_list("scope", flat=True))


@pytest.mark.parametrize(
    ("event_type", "fields", "kind"),
    [
        ("delivered", {}, "delivered"),
        ("clicked", {"click_url": SHOP}, "clicked"),
        ("bounced", {"reject_reason": "bounced", "mta_response": GONE}, "bounced_hard"),
        ("bounced", {"reject_reason": "invalid"}, "bounced_hard"),
        ("bounced", {"reject_reason": "bounced", "mta_response": FULL}, "bounced_soft"),
        ("bounced", {"reject_reason": "bounced"}, "bounced_soft"),
        ("rejected", {"reject_reason": "invalid"}, "bounced_hard"),
        ("rejected", {"reject_reason": "unsubscribed"}, "rejected"),
        ("rejected", {"reject_reason": "spam"}, "rejected"),
        ("failed", {}, "rejected"),
        ("complained", {}, "complained"),
        ("unsubscribed", {}, "opted_out"),
    ],
)
def test_each_event_is_written_down(
    sent: Sent, event: Event, event_type: str, fields: dict[str, Any], kind: str
) -> None:
    report(event(event_type, **fields))
    stored = sent.delivery.events.get()
    assert stored.kind == kind
    assert stored.at == AT


@pytest.mark.parametrize(
    "event_type", ["queued", "sent", "deferred", "autoresponded", "subscribed", "unknown", "new"]
)
def test_what_says_nothing_about_the_end_is_not(sent: Sent, event: Event, event_type: str) -> None:
    report(event(event_type))
    assert sent.kinds() == []
    assert sent.address.is_mailable


def test_a_hard_bounce_ends_the_address(sent: Sent, event: Event) -> None:
    report(event("bounced", reject_reason="bounced", mta_response=GONE))
    assert sent.address.invalid_since
    assert "User unknown" in sent.address.invalid_reason
    proof = ConsentEvent.objects.get().proof
    assert proof == {"delivery": sent.delivery.pk, "provider": "Mailgun", "at": AT.isoformat()}


@pytest.mark.parametrize(
    "words", [FULL, "550 5.7.1 Blocked by policy", "554 5.7.26 Unauthenticated", "421 try again"]
)
def test_a_soft_bounce_does_not(sent: Sent, event: Event, words: str) -> None:
    report(event("bounced", reject_reason="bounced", mta_response=words))
    assert sent.kinds() == ["bounced_soft"]
    assert sent.address.is_mailable


def test_a_complaint_ends_everything(sent: Sent, event: Event) -> None:
    report(event("complained"))
    assert sent.address.complained_since
    assert sent.address.opted_out_since


def test_unsubscribing_at_the_provider_means_what_our_own_link_means(sent: Sent, event: Event) -> None:
    report(event("unsubscribed"))
    assert left_lists(sent) == set(sent.run.list_scopes)
    assert sent.address.opted_out_since is None


def test_unsubscribing_from_a_mailing_that_means_everything(lists: tuple[TargetListPage, ...]) -> None:
    sent = send_to(lists, opt_out_entirely=True)
    report(AnymailTrackingEvent(event_type="unsubscribed", metadata={"massmail_delivery": sent.delivery.pk}))
    assert sent.address.opted_out_since


def test_a_repeated_event_has_one_effect(sent: Sent, event: Event) -> None:
    for number in range(46):
        report(event("bounced", reject_reason="invalid", event_id=f"signature-{number}"))
        report(event("complained"), event("delivered"))
    assert sent.kinds() == ["bounced_hard", "complained", "delivered"]
    assert ConsentEvent.objects.count() == 2


def test_two_clicks_at_different_times_or_places_are_two(sent: Sent, event: Event) -> None:
    later = AT + timedelta(seconds=1)
    report(event("clicked", click_url=SHOP), event("clicked", click_url=SHOP, timestamp=later))
    report(event("clicked", click_url="https://news.example/"), event("clicked", click_url=SHOP))
    assert sent.kinds() == ["clicked"] * 3


def test_events_without_a_time_are_told_apart_by_the_providers_number(sent: Sent, event: Event) -> None:
    for number in ("1", "2", "1"):
        report(event("clicked", click_url=SHOP, timestamp=None, event_id=number))
    assert sent.kinds() == ["clicked"] * 2


def test_a_providers_clock_cannot_put_events_into_the_future(sent: Sent, event: Event) -> None:
    report(event("delivered", timestamp=timezone.now() + timedelta(days=400)))
    assert sent.delivery.events.get().at <= timezone.now()


def state_of(sent: Sent) -> tuple[Any, ...]:
    """Everything that events may change, but for when we heard of them and which of them was the first proof."""
    address, delivery = sent.address, Delivery.objects.get(pk=sent.delivery.pk)
    return (
        delivery.state,
        bool(delivery.handed_at),
        bool(address.invalid_since),
        bool(address.opted_out_since),
        bool(address.complained_since),
        frozenset(left_lists(sent)),
        frozenset(delivery.events.values_list("kind", "at", "link", "detail")),
        frozenset(ConsentEvent.objects.values_list("kind", "scope", "method")),
    )


@pytest.mark.parametrize("state", [DeliveryState.HANDING, DeliveryState.IN_DOUBT, DeliveryState.ACCEPTED])
def test_any_order_ends_in_the_same_state(sent: Sent, event: Event, state: DeliveryState) -> None:
    reports = [
        event("sent"),
        event("deferred", mta_response=FULL),
        event("delivered"),
        event("clicked", click_url=SHOP),
        event("bounced", reject_reason="bounced", mta_response=FULL),
        event("bounced", reject_reason="bounced", mta_response=GONE),
        event("complained"),
        event("unsubscribed"),
        event("complained"),
    ]
    orders = list(permutations(range(len(reports)), len(reports)))
    chosen = [orders[0], orders[-1], *random.Random(67).sample(orders, 20)]
    ends = set()
    for order in chosen:
        with transaction.atomic():
            sent.be(state)
            report(*(reports[index] for index in order))
            ends.add(state_of(sent))
            transaction.set_rollback(True)
    assert len(ends) == 1
    assert ends.pop()[0] == DeliveryState.ACCEPTED


def test_a_bounce_that_comes_late_does_not_undo_a_colleagues_word(sent: Sent, event: Event) -> None:
    consent.mark_valid(sent.address, consent.How(ConsentEvent.Method.OPERATOR))
    report(event("bounced", reject_reason="invalid"))
    assert sent.kinds() == ["bounced_hard"], "It happened, and is written down."
    assert sent.address.invalid_since is None


def test_an_opt_out_that_comes_late_does_not_undo_a_later_opt_in(sent: Sent, event: Event) -> None:
    key, other = sent.run.list_scopes
    consent.opt_in(sent.address, [consent.Scope(key)], consent.How(ConsentEvent.Method.OPERATOR))
    report(event("unsubscribed"))
    assert left_lists(sent) == {other}


def test_a_provider_that_knows_no_metadata_is_matched_by_its_id(sent: Sent, event: Event) -> None:
    sent.be(DeliveryState.ACCEPTED, provider_id="abc-1")
    report(event("delivered", metadata={}, message_id="abc-1"))
    assert sent.kinds() == ["delivered"]


def test_one_id_for_several_mails_needs_the_recipient(sent: Sent, event: Event) -> None:
    Delivery.objects.filter(run=sent.run).update(provider_id="batch")
    report(event("delivered", metadata={}, message_id="batch", recipient=None))
    assert not DeliveryEvent.objects.exists()
    report(event("delivered", metadata={}, message_id="batch", recipient=ADDRESS.upper()))
    assert sent.kinds() == ["delivered"]


def test_a_relay_is_matched_by_our_message_id(sent: Sent, event: Event) -> None:
    account = SenderAccount.objects.get()
    ours = message_id(account, sent.delivery.pk)
    sent.be(DeliveryState.ACCEPTED, account=account)
    for wrong in (ours.replace("mm.", "mm.1"), ours[:-20] + "0@x.example>", "<mm.1.0@x>", "mm." * 90):
        report(event("delivered", metadata={}, message_id=wrong))
    assert sent.kinds() == []
    report(event("delivered", metadata={}, message_id=ours.strip("<>")))
    assert sent.kinds() == ["delivered"]


def test_a_relay_is_matched_although_the_account_is_gone(sent: Sent, event: Event) -> None:
    account = SenderAccount.objects.get()
    ours = message_id(account, sent.delivery.pk)
    sent.be(DeliveryState.ACCEPTED, account=account)
    account.delete()
    report(event("complained", metadata={}, message_id=ours))
    assert sent.kinds() == ["complained"]


@pytest.mark.parametrize(
    "fields",
    [
        {"recipient": "bob@customers.example"},
        {"recipient": "not an address"},
        {"metadata": {"massmail_delivery": "0"}},
        {"metadata": {"massmail_delivery": "-1"}},
        {"metadata": {"massmail_delivery": "9" * 30}},
        {"metadata": {"massmail_delivery": ["1"]}},
        {"metadata": {"massmail_delivery": "1 OR 1=1"}},
        {"metadata": ["massmail_delivery"]},
        {"metadata": None},
        {"metadata": {}, "message_id": ""},
        {"metadata": {}, "message_id": "somebody else's"},
    ],
)
def test_an_event_of_no_mail_of_ours_is_ignored_quietly(
    sent: Sent, event: Event, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        report(event("bounced", reject_reason="invalid", **fields))
    assert not DeliveryEvent.objects.exists()
    assert not ConsentEvent.objects.exists()
    assert "no mail of ours" in caplog.text
    assert "@" not in caplog.text, "No personal data in the log."


def test_a_person_who_was_left_out_is_no_mail(sent: Sent, event: Event) -> None:
    Delivery.objects.filter(pk=sent.delivery.pk).update(address=None)
    report(event("delivered"))
    assert not DeliveryEvent.objects.exists()


def test_an_address_stays_suppressed_when_its_record_is_gone(sent: Sent, event: Event) -> None:
    report(event("complained"))
    before = EmailAddress.objects.count()
    type(sent.delivery).objects.filter(pk=sent.delivery.pk).update(object_id="999999", name="")
    report(event("delivered"), event("unsubscribed"))
    assert EmailAddress.objects.count() == before
    assert sent.address.complained_since


@pytest.mark.parametrize(
    "fields",
    [
        {"mta_response": "\x00\ud800 <script>alert(1)</script>\r\nX: y" + "x" * 5000},
        {"mta_response": {"code": 550}, "description": ["x"], "reject_reason": 7},
        {"timestamp": "yesterday", "event_id": {"a": 1}},
        {"timestamp": datetime(2026, 1, 1)},
        {"recipient": ["ada"], "click_url": 5, "message_id": 17},
        {"esp_event": "text"},
    ],
)
def test_odd_fields_do_no_harm(sent: Sent, event: Event, fields: dict[str, Any]) -> None:
    report(event("bounced", **fields))
    stored = sent.delivery.events.get()
    assert stored.kind == "bounced_soft"
    assert len(stored.detail) <= 1000
    assert stored.detail.isprintable()


def test_one_bad_event_does_not_stop_the_others(
    sent: Sent, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    bad = event("delivered")
    del bad.recipient
    report(bad, event("delivered"))
    assert sent.kinds() == ["delivered"]
    assert "could not be used: AttributeError" in caplog.text


def test_effect_and_event_are_stored_together_or_not_at_all(
    sent: Sent, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(consent, "record_complaint", fail)
        report(event("complained"))
        assert sent.kinds() == []
    report(event("complained"))
    assert sent.kinds() == ["complained"], "The provider repeats it, and it is not taken for a known one."
    assert sent.address.complained_since


def test_the_provider_hears_of_a_database_that_is_down(
    sent: Sent, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(feedback_events, "record", fail)
    with pytest.raises(OperationalError):
        report(event("delivered"))


def test_an_event_that_overtakes_the_workers_answer(sent: Sent, event: Event) -> None:
    sent.be(DeliveryState.HANDING, handed_at=None, provider_id="")
    report(event("delivered", message_id="p-1"))
    sent.delivery.refresh_from_db()
    assert sent.delivery.state == DeliveryState.ACCEPTED
    assert sent.delivery.provider_id == "p-1", "Later events may have nothing else."


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.CANCELLED, DeliveryState.QUEUED])
def test_events_settle_nothing_but_doubts(sent: Sent, event: Event, state: DeliveryState) -> None:
    sent.be(state)
    report(event("delivered"), event("bounced", reject_reason="invalid"))
    assert sent.state == state


def test_opens_of_the_provider_count_only_where_the_site_wants_it(sent: Sent, event: Event) -> None:
    report(event("opened"))
    assert sent.kinds() == []
    chosen = preferences.load()
    chosen.track_opens = True
    chosen.save()
    report(event("opened"))
    assert sent.kinds() == ["opened"]


def test_a_click_that_our_own_link_counts_is_not_counted_twice(sent: Sent, event: Event) -> None:
    base = preferences.load().base_url
    token = tokens.make(Purpose.VIEW, sent.delivery.pk)
    for path in (sent.click_url(), sent.opt_out_url(), reverse("massmail:view", args=[token])):
        report(event("clicked", click_url=base + path))
    assert sent.kinds() == []
    report(event("clicked", click_url=SHOP))
    link = sent.delivery.events.get().link
    assert link is not None
    assert link.slug == "shop"
