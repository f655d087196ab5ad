"""A statement that is written once does what ``states.move`` does, on each database."""

from __future__ import annotations

import pytest
from django.db.models import CharField, DateTimeField, Exists, OuterRef
from django.utils import timezone

from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.statements import Move, Slot, numbered, slots
from massmail_plugin.mailings.states import DeliveryState, MailingState
from tests.builders import a_mailing, an_account, contacts, start_now

pytestmark = pytest.mark.django_db

_PK = Delivery._meta.pk


@pytest.fixture
def deliveries() -> list[Delivery]:
    an_account()
    return list(start_now(a_mailing(to=contacts(4))).deliveries.order_by("pk"))


def test_it_moves_the_rows_in_its_slots_and_no_others(deliveries: list[Delivery]) -> None:
    claim = Move(
        Delivery.objects.filter(pk__in=slots("pk", 2, _PK)),
        DeliveryState.CLAIMED,
        claim_token=Slot("token", CharField()),
        lease_until=Slot("until", DateTimeField()),
    )
    until = timezone.now()

    first, second, third, _fourth = deliveries
    assert claim.run(**numbered("pk", [first.pk, second.pk]), token="a", until=until) == 2
    assert claim.run(**numbered("pk", [second.pk, third.pk]), token="b", until=None) == 1

    found = Delivery.objects.order_by("pk").values_list("claim_token", "lease_until", "state")
    assert list(found) == [
        ("a", until, "claimed"),
        ("a", until, "claimed"),
        ("b", None, "claimed"),
        ("", None, "queued"),
    ]


def test_it_moves_nothing_from_where_the_table_does_not_allow_it(deliveries: list[Delivery]) -> None:
    accept = Move(Delivery.objects.filter(pk=Slot("pk", _PK)), DeliveryState.HANDING)

    assert accept.run(pk=deliveries[0].pk) == 0


def test_it_runs_many_times_with_any_values(deliveries: list[Delivery]) -> None:
    skip = Move(
        Delivery.objects.filter(pk=Slot("pk", _PK)), DeliveryState.SKIPPED, detail=Slot("why", CharField())
    )

    for delivery in deliveries[:3]:
        assert skip.run(pk=delivery.pk, why=f"50 % of {delivery.pk}") == 1
    assert skip.run(pk=deliveries[-1].pk + 1, why="nobody") == 0

    assert [delivery.detail for delivery in Delivery.objects.order_by("pk")] == [
        *[f"50 % of {delivery.pk}" for delivery in deliveries[:3]],
        "",
    ]


def test_conditions_on_other_tables_are_asked_when_it_runs(deliveries: list[Delivery]) -> None:
    active = Run.objects.filter(pk=OuterRef("run"), mailing__state=MailingState.ACTIVE)
    claim = Move(Delivery.objects.filter(Exists(active), pk=Slot("pk", _PK)), DeliveryState.CLAIMED)
    mailing = deliveries[0].run.mailing

    assert claim.run(pk=deliveries[0].pk) == 1
    mailing.state = MailingState.PAUSED
    mailing.save()
    assert claim.run(pk=deliveries[1].pk) == 0


def test_a_join_is_refused(deliveries: list[Delivery]) -> None:
    with pytest.raises(ValueError, match="subquery"):
        Move(Delivery.objects.filter(run__mailing__state=MailingState.ACTIVE), DeliveryState.CLAIMED)
