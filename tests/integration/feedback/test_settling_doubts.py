"""Mails in doubt are settled by whatever comes back, always as sent, and the log says by what (F10, F46, F57)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent
from django.test import Client
from django.utils import timezone, translation

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import entry, fence, writing
from massmail_plugin.feedback.webhooks import receive_tracking_event
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from tests.integration.feedback.conftest import ADDRESS, Sent

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def reported(sent: Sent, kind: str, **fields: Any) -> None:
    event = AnymailTrackingEvent(
        event_type=kind,
        metadata={"massmail_delivery": sent.delivery.pk},
        recipient=ADDRESS,
        timestamp=timezone.now(),
        **fields,
    )
    receive_tracking_event(None, event, "Postmark")


#: Name of what comes back, how it comes, and what the log says afterwards.
TRACES: list[tuple[str, Callable[[Sent, Client], object], str]] = [
    ("a click", lambda sent, client: client.get(sent.click_url()), "a link in it was opened"),
    ("a scanner", lambda sent, client: client.head(sent.click_url()), "a link in it was opened"),
    ("the pixel", lambda sent, client: client.get(sent.open_url()), "it was opened"),
    ("the web copy", lambda sent, client: client.get(sent.view_url()), "copy for the browser"),
    ("the opt-out page", lambda sent, client: client.get(sent.opt_out_url()), "opt-out page"),
    ("an opt-out", lambda sent, client: client.post(sent.opt_out_url()), "opt-out link was used"),
    ("one click", lambda sent, client: client.post(sent.one_click_url(), ONE_CLICK), "opt-out link was used"),
    ("delivered", lambda sent, client: reported(sent, "delivered"), "reported it as delivered"),
    ("deferred", lambda sent, client: reported(sent, "deferred"), "reported that it has it"),
    ("bounced", lambda sent, client: reported(sent, "bounced"), "came back"),
    ("complained", lambda sent, client: reported(sent, "complained"), "reported as spam"),
    ("opened", lambda sent, client: reported(sent, "opened"), "it was opened"),
    ("rejected", lambda sent, client: reported(sent, "rejected"), "cannot deliver"),
]
LOOKS = TRACES[:5]


def names(traces: list[Any]) -> list[str]:
    return [name for name, _act, _words in traces]


@pytest.fixture
def doubtful(sent: Sent) -> Sent:
    """Ada's mail, whose fence was an hour ago and whose end nobody knows."""
    fence = timezone.now() - timedelta(hours=1)
    sent.be(
        DeliveryState.IN_DOUBT,
        handed_at=None,
        paced_at=fence,
        doubted_at=fence + timedelta(minutes=10),
        detail="The connection broke.",
        claim_token="t",
        attempts=1,
    )
    return sent


def now(sent: Sent) -> Delivery:
    return Delivery.objects.get(pk=sent.delivery.pk)


@pytest.mark.parametrize(("_name", "act", "words"), TRACES, ids=names(TRACES))
def test_whatever_comes_back_proves_that_it_was_sent(
    doubtful: Sent, client: Client, _name: str, act: Callable[..., object], words: str
) -> None:
    fence = now(doubtful).paced_at
    act(doubtful, client)
    delivery = now(doubtful)
    assert delivery.state == DeliveryState.ACCEPTED
    assert words in delivery.detail
    assert str(timezone.localdate().year) in delivery.detail
    assert delivery.handed_at == fence
    # A second proof changes nothing.
    doubtful.be(DeliveryState.ACCEPTED, detail="First proof")
    act(doubtful, client)
    assert now(doubtful).detail == "First proof"


# Seventy-eight times the same conditional UPDATE.
@pytest.mark.any_database
@pytest.mark.parametrize(("_name", "act", "_words"), TRACES, ids=names(TRACES))
@pytest.mark.parametrize("state", ["queued", "deferred", "claimed", "failed", "skipped", "cancelled"])
def test_a_mail_that_was_never_in_doubt_moves_nowhere(
    sent: Sent, client: Client, state: str, _name: str, act: Callable[..., object], _words: str
) -> None:
    sent.be(DeliveryState(state), detail="as it was", handed_at=None)
    act(sent, client)
    delivery = now(sent)
    assert (delivery.state, delivery.detail, delivery.handed_at) == (state, "as it was", None)


@pytest.mark.parametrize("state", ["queued", "deferred", "failed"])
def test_a_doubt_that_is_to_be_sent_again_is_not_if_proof_comes_first(
    doubtful: Sent, client: Client, state: str
) -> None:
    doubtful.be(DeliveryState(state), next_attempt_at=timezone.now())
    client.get(doubtful.click_url())
    delivery = now(doubtful)
    assert (delivery.state, delivery.next_attempt_at) == (DeliveryState.ACCEPTED, None)


def test_a_doubt_that_a_worker_has_just_claimed_again_is_settled_too(doubtful: Sent) -> None:
    """What the worker writes then changes nothing: its fence refuses a mail that is sent."""
    at = timezone.now()
    again = {"state": DeliveryState.CLAIMED, "claim_token": "anew", "doubted_at": at}
    # While it is in flight it counts against its account's limits as of the end of its lease.
    lease = at + timedelta(minutes=10)
    Delivery.objects.update(**again, lease_until=lease, paced_at=lease)
    claimed = Delivery.objects.select_related("run").get(pk=doubtful.delivery.pk)
    reported(doubtful, "delivered")
    settled = now(doubtful)
    assert settled.state == DeliveryState.ACCEPTED
    assert (settled.handed_at, settled.paced_at) == (at, at), "It has not left in the future."
    assert told(claimed, DeliveryState.QUEUED, "") == 0


def test_a_look_at_a_doubt_that_is_claimed_again_waits_for_the_answer(doubtful: Sent, client: Client) -> None:
    again = {"state": DeliveryState.CLAIMED, "claim_token": "anew", "doubted_at": timezone.now()}
    Delivery.objects.update(**again)
    client.get(doubtful.open_url())
    assert now(doubtful).state == DeliveryState.CLAIMED


@pytest.mark.parametrize("state", ["skipped", "cancelled"])
def test_who_was_left_out_meanwhile_stays_left_out(doubtful: Sent, client: Client, state: str) -> None:
    doubtful.be(DeliveryState(state))
    client.get(doubtful.click_url())
    assert doubtful.state == state


def on_its_way(sent: Sent, *, lease: timedelta = timedelta(minutes=10)) -> Delivery:
    sent.be(
        DeliveryState.HANDING,
        handed_at=None,
        claim_token="t",
        attempts=1,
        paced_at=timezone.now(),
        lease_until=timezone.now() + lease,
    )
    return now(sent)


def told(delivery: Delivery, state: str, detail: str) -> int:
    """The worker writes what it knows. Returns whether that was still of use."""
    return writing.write([entry.Entry(delivery.pk, delivery.claim_token, DeliveryState(state), detail)])


@pytest.mark.parametrize(("_name", "act", "_words"), LOOKS, ids=names(LOOKS))
def test_servers_that_look_before_they_refuse_are_believed(
    sent: Sent, client: Client, _name: str, act: Callable[..., object], _words: str
) -> None:
    """A gateway opens the links while we wait for its answer, and then says "not now": it must be tried again."""
    delivery = on_its_way(sent)
    act(sent, client)
    assert sent.state == DeliveryState.HANDING
    assert told(delivery, "deferred", "451 4.7.1 try later")
    delivery = now(sent)
    assert (delivery.state, delivery.handed_at) == (DeliveryState.DEFERRED, None)
    assert delivery.detail == "451 4.7.1 try later"


@pytest.mark.parametrize(("_name", "act", "words"), LOOKS, ids=names(LOOKS))
def test_a_look_is_remembered_if_the_worker_dies(
    sent: Sent, client: Client, _name: str, act: Callable[..., object], words: str
) -> None:
    on_its_way(sent)
    act(sent, client)
    sent.be(DeliveryState.HANDING, lease_until=timezone.now() - timedelta(seconds=1))
    sweep()
    delivery = now(sent)
    assert delivery.state == DeliveryState.ACCEPTED
    assert words in delivery.detail
    assert delivery.handed_at == delivery.paced_at


def test_a_look_is_remembered_if_the_connection_breaks(sent: Sent, client: Client) -> None:
    delivery = on_its_way(sent)
    client.get(sent.click_url())
    assert told(delivery, "in_doubt", "The connection broke.")
    assert sent.state == DeliveryState.ACCEPTED


@pytest.mark.django_db(transaction=True)
def test_a_look_at_an_earlier_attempt_proves_nothing_about_the_next(sent: Sent, client: Client) -> None:
    delivery = on_its_way(sent)
    client.get(sent.click_url())
    assert told(delivery, "deferred", "451 4.7.1 try later")
    account = SenderAccount.objects.get()
    sent.be(DeliveryState.CLAIMED, lease_until=timezone.now() + timedelta(minutes=10), account=account)
    delivery = Delivery.objects.select_related("run").get(pk=delivery.pk)
    assert fence.commit_to_send([delivery]) == {delivery.pk}
    assert told(delivery, "in_doubt", "The connection broke.")
    assert sent.state == DeliveryState.IN_DOUBT


@pytest.mark.parametrize("outcome", ["accepted", "failed", "deferred", "queued", "in_doubt"])
def test_a_providers_report_overtakes_the_worker_whose_outcome_then_changes_nothing(
    sent: Sent, outcome: str
) -> None:
    delivery = on_its_way(sent)
    reported(sent, "delivered")
    assert sent.state == DeliveryState.ACCEPTED
    assert not told(delivery, outcome, "too late")
    assert sent.state == DeliveryState.ACCEPTED
    assert now(sent).detail.startswith("It arrived")


def test_the_log_speaks_the_sites_language_whoever_looks(doubtful: Sent, client: Client) -> None:
    with translation.override("de"):
        client.get(doubtful.click_url(), headers={"Accept-Language": "de"})
    assert now(doubtful).detail.startswith("It arrived: on ")
    assert not Mailing.objects.exclude(in_doubt="hold").exists()
