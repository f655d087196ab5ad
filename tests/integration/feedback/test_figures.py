"""What the figures of a run and a campaign count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.feedback.events import Fact, record
from massmail_plugin.feedback.figures import LinkFigures, RunFigures, figures_for_campaign, figures_for_run
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import DeliveryState
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, a_template, an_account, start_now
from tests.integration.feedback.conftest import SHOP, Sent, send_to

Kind = DeliveryEvent.Kind
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def happened(delivery: Delivery, kind: Kind, times: int = 1, **fields: Any) -> None:
    for number in range(times):
        record(delivery, Fact(kind, NOON + timedelta(minutes=number), **fields))


def a_run_of(number: int) -> Run:
    an_account()
    people = [a_contact() for _ in range(number)]
    return start_now(a_mailing(campaign=a_campaign(a_target_list(*people)), template=a_template()))


@pytest.mark.django_db
def test_a_run_that_has_not_sent_anything() -> None:
    assert figures_for_run(a_run_of(2)) == RunFigures(waiting=2)


@pytest.mark.django_db
def test_states_are_counted_by_what_they_mean_for_people() -> None:
    run = a_run_of(9)
    states = [*DeliveryState]
    for delivery, state in zip(Delivery.objects.filter(run=run), states, strict=True):
        reason = "opted_out" if state == DeliveryState.SKIPPED else ""
        Delivery.objects.filter(pk=delivery.pk).update(state=state, reason=reason)
    figures = figures_for_run(run)
    assert figures.sent == figures.failed == figures.in_doubt == figures.cancelled == 1
    assert figures.waiting == 4
    assert figures.left_out_by_reason == {"opted_out": 1}
    assert figures.mails + figures.left_out == 9


def test_reasons_for_being_left_out_are_sorted_by_number(lists: tuple[TargetListPage, ...]) -> None:
    extra = a_target_list(
        a_contact("no address"), a_contact("neither is this"), a_contact("ada.byron@customers.example")
    )
    sent = send_to((*lists, extra))
    figures = figures_for_run(sent.run)
    assert list(figures.left_out_by_reason.items()) == [("malformed", 2), ("duplicate", 1)]
    assert figures.left_out == 3


def test_people_are_counted_once_and_clicks_each_time(sent: Sent) -> None:
    ada, bob = Delivery.objects.filter(run=sent.run).order_by("-email")
    news, shop = sent.run.links.order_by("number")
    happened(ada, Kind.OPENED, 5)
    happened(ada, Kind.CLICKED, 3, link=shop)
    happened(ada, Kind.CLICKED, 1, link=news)
    happened(bob, Kind.CLICKED, 1, link=shop)
    happened(bob, Kind.CLICKED, 1)
    figures = figures_for_run(sent.run)
    assert (figures.opened, figures.clicked, figures.clicks) == (1, 2, 6)
    assert figures.links == (
        LinkFigures("shop", SHOP, people=2, clicks=4),
        LinkFigures("", "https://news.example/", people=1, clicks=1),
    )


def test_links_that_nobody_clicked_are_there_too(sent: Sent) -> None:
    assert {(link.people, link.clicks) for link in figures_for_run(sent.run).links} == {(0, 0)}
    assert len(figures_for_run(sent.run).links) == 2


def test_what_went_wrong(sent: Sent) -> None:
    for kind in (Kind.DELIVERED, Kind.BOUNCED_SOFT, Kind.BOUNCED_HARD, Kind.REJECTED, Kind.COMPLAINED):
        happened(sent.delivery, kind, 2)
    figures = figures_for_run(sent.run)
    assert figures.delivered == figures.rejected == figures.complained == 1
    assert (figures.bounced_hard, figures.bounced_soft, figures.bounced) == (1, 1, 2)


def test_an_opt_out_that_was_taken_back_is_none(sent: Sent) -> None:
    ada, bob = Delivery.objects.filter(run=sent.run)
    happened(ada, Kind.OPTED_OUT, 2)
    happened(bob, Kind.OPTED_OUT)
    happened(bob, Kind.OPTED_IN)
    assert figures_for_run(sent.run).opted_out == 1
    happened(bob, Kind.OPTED_OUT)
    assert figures_for_run(sent.run).opted_out == 2


def test_a_campaign_adds_its_runs_up_and_nobody_elses(lists: tuple[TargetListPage, ...]) -> None:
    sent, other = send_to(lists), send_to(lists)
    campaign = sent.run.mailing.campaign
    again = start_now(a_mailing(campaign=campaign, template=sent.run.mailing.template))
    Delivery.objects.filter(run=again).update(state=DeliveryState.ACCEPTED, handed_at=timezone.now())
    for run in (sent.run, again, other.run):
        happened(Delivery.objects.filter(run=run)[0], Kind.CLICKED, 1, link=run.links.get(slug="shop"))
    figures = figures_for_campaign(campaign)
    assert figures.sent == 4, "Who got two mailings counts twice."
    assert figures.clicked == 2
    assert figures.links[0] == LinkFigures("shop", SHOP, people=2, clicks=2)
    assert figures_for_run(again).sent == 2


def test_the_number_of_queries_does_not_grow(sent: Sent, django_assert_num_queries: Any) -> None:
    happened(sent.delivery, Kind.CLICKED, 20, link=sent.run.links.get(slug="shop"))
    campaign = sent.run.mailing.campaign
    with django_assert_num_queries(5):
        figures_for_run(sent.run)
    with django_assert_num_queries(5):
        figures_for_campaign(campaign)
