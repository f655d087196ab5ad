"""Who sends what: VIPs and main accounts, accounts that people are used to, and fair shares."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from massmail_plugin.accounts import faults, switches
from massmail_plugin.delivery.ledger import claiming, routes
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import RUNNING, DeliveryState, MailingState
from massmail_plugin.models import SenderAccount
from sandbox.crm.models import Contact
from tests.builders import (
    a_contact,
    a_mailing,
    a_user,
    an_account,
    contacts,
    start_now,
)


@pytest.fixture(autouse=True)
def _same_luck() -> None:
    random.seed(2026)


def _two_vips_and_three_others() -> list[Contact]:
    people = contacts(5)
    Contact.objects.filter(pk__in=[person.pk for person in people[:2]]).update(is_vip=True)
    return people


def _emails(claimed: Iterable[Delivery]) -> set[str]:
    return {delivery.email.partition("@")[0] for delivery in claimed}


def _sent_through(account: SenderAccount, run: Run) -> None:
    """Pretend that all mails of a run that ``account`` may claim have left through it."""
    claimed = claiming.claim(account, 1000)
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in claimed], run=run).update(
        state=DeliveryState.ACCEPTED, handed_at=run.started_at, lease_until=None
    )


# Lanes


@pytest.mark.parametrize(
    "waiting", [routes.queued(), routes.deferred(timezone.now())], ids=["first", "again"]
)
def test_a_lane_is_read_in_the_order_of_its_index_and_nothing_is_sorted(waiting):
    account, other = an_account(), an_account()
    run = start_now(a_mailing(to=contacts(300)))
    Delivery.objects.filter(pk__in=list(Delivery.objects.values_list("pk", flat=True)[::3])).update(
        state=DeliveryState.DEFERRED, next_attempt_at=run.started_at
    )
    run.has_vips, run.preferred_accounts = True, [account.pk, other.pk, 12345]
    lanes = list(routes.lanes(account.pk, run, routes.Peers.among([account, other]), waiting))
    assert len(lanes) == 2 * 3
    with connection.cursor() as cursor:
        for statement in _STATISTICS[connection.vendor]:
            cursor.execute(statement)
        for lane in lanes:
            plan = lane[:20].explain()
            assert "massmail_delivery_lane" in plan
            assert not re.search("sort|b-tree", plan, re.IGNORECASE), plan


#: So that a small table is read like a large one.
_STATISTICS = {
    "sqlite": ["ANALYZE"],
    "postgresql": [
        "ANALYZE massmail_plugin_delivery",
        "SET enable_seqscan = off",
        "SET enable_bitmapscan = off",
        "SET enable_sort = off",
    ],
    "mysql": ["ANALYZE TABLE massmail_plugin_delivery"],
}


def test_a_look_for_work_reads_one_row():
    account = an_account()
    start_now(a_mailing(to=contacts(5)))
    with CaptureQueriesContext(connection) as queries:
        assert routes.has_work(account)
    (looked,) = [query["sql"] for query in queries if "preferred_account_id" in query["sql"]]
    assert "LIMIT 1" in looked


# VIPs and main accounts


def test_a_main_account_sends_to_vips_only_and_the_others_to_the_rest():
    main, other = an_account(is_main=True), an_account()
    start_now(a_mailing(to=_two_vips_and_three_others()))
    assert _emails(claiming.claim(main, 10)) == {"person1", "person2"}
    assert not routes.has_work(main)
    assert _emails(claiming.claim(other, 10)) == {"person3", "person4", "person5"}


def test_vips_wait_for_a_main_account_while_one_is_ready():
    main, other = an_account(is_main=True), an_account()
    start_now(a_mailing(to=_two_vips_and_three_others()))
    assert len(claiming.claim(other, 10)) == 3
    assert not routes.has_work(other)
    assert routes.has_work(main)


@pytest.mark.parametrize("gone", ["stopped", "switched off", "deleted", "never there"])
def test_without_a_ready_main_account_the_others_send_to_vips_too(gone):
    other = an_account()
    main = None if gone == "never there" else an_account(is_main=True)
    start_now(a_mailing(to=_two_vips_and_three_others()))
    if main is not None and gone == "stopped":
        faults.stop(main, "535 Wrong password")
    elif main is not None and gone == "switched off":
        switches.switch_off(main)
    elif main is not None:
        main.delete()
    assert len(claiming.claim(other, 10)) == 5


def test_a_main_account_of_somebody_else_keeps_no_vips_waiting():
    owner = a_user()
    own, _foreign = an_account(owner=owner), an_account(is_main=True)
    start_now(a_mailing(to=_two_vips_and_three_others(), through=own))
    assert len(claiming.claim(own, 10)) == 5


def test_a_mailing_of_which_only_a_main_account_is_left_is_interrupted_once_its_vips_are_served():
    main, other = an_account(is_main=True), an_account()
    mailing = a_mailing(to=_two_vips_and_three_others())
    run = start_now(mailing)
    faults.stop(other, "535 Wrong password")
    assert run_tick() == [main.pk]
    mailing.refresh_from_db()
    assert mailing.state in RUNNING, "Its VIPs still get their mails."
    _sent_through(main, run)
    run_tick()
    mailing.refresh_from_db()
    assert mailing.state == MailingState.INTERRUPTED
    assert "VIP" in mailing.notice
    faults.mend(other)
    actions.resume(mailing)
    assert len(claiming.claim(other, 10)) == 3


# Accounts that people are used to


def _mailing_again(mailing):
    return a_mailing(campaign=mailing.campaign, owner=mailing.owner)


@pytest.fixture
def known() -> tuple[SenderAccount, SenderAccount, Run]:
    """Return two accounts, and a run to ten people of whom each account has written to five before."""
    first, second = an_account(name="First"), an_account(name="Second")
    mailing = a_mailing(to=contacts(10))
    run = start_now(mailing)
    for account in (first, second):
        mine = claiming.claim(account, 5)
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in mine]).update(
            state=DeliveryState.ACCEPTED, handed_at=run.started_at
        )
    return first, second, start_now(_mailing_again(mailing))


def test_people_get_their_mails_from_the_account_that_wrote_to_them_last(known):
    first, second, run = known
    before = dict(
        Delivery.objects.exclude(run=run).values_list("address_id", "account_id"),
    )
    assert set(run.preferred_accounts) == {first.pk, second.pk}
    for account in (second, first):
        claimed = claiming.claim(account, 10)
        assert len(claimed) == 5
        assert {before[delivery.address_id] for delivery in claimed} == {account.pk}


@pytest.mark.parametrize("gone", ["stopped", "switched off", "deleted"])
def test_others_take_over_from_an_account_that_cannot_send_any_more(known, gone):
    first, second, _run = known
    if gone == "stopped":
        faults.stop(first, "535 Wrong password")
    elif gone == "switched off":
        switches.switch_off(first)
    else:
        first.delete()
    assert len(claiming.claim(second, 20)) == 10


def test_an_account_that_is_mended_has_its_people_back(known):
    first, second, _run = known
    faults.stop(first, "535 Wrong password")
    assert len(claiming.claim(second, 6)) == 6
    faults.mend(first)
    assert claiming.claim(second, 10) == []
    assert len(claiming.claim(first, 10)) == 4


def test_the_last_account_counts_and_not_the_first_one():
    first, second = an_account(name="First"), an_account(name="Second")
    mailing = a_mailing(to=[a_contact()])
    for account in (second, first):
        run = start_now(_mailing_again(mailing))
        Delivery.objects.filter(run=run).update(
            state=DeliveryState.ACCEPTED, account=account, handed_at=run.started_at
        )
    assert start_now(_mailing_again(mailing)).deliveries.get().preferred_account_id == first.pk


def test_what_was_not_sent_or_through_somebody_elses_account_counts_for_nothing():
    owner = a_user()
    own, also_own, foreign = an_account(owner=owner), an_account(owner=owner), an_account()
    mailing = a_mailing(to=contacts(2), through=own)
    failed, elsewhere = Delivery.objects.filter(run=start_now(mailing)).order_by("pk")
    Delivery.objects.filter(pk=failed.pk).update(state=DeliveryState.FAILED, account=also_own)
    Delivery.objects.filter(pk=elsewhere.pk).update(
        state=DeliveryState.ACCEPTED, account=foreign, handed_at=elsewhere.run.started_at
    )
    run = start_now(_mailing_again(mailing))
    assert run.preferred_accounts == []
    assert not run.deliveries.exclude(preferred_account=None).exists()


def test_a_main_account_is_never_preferred_for_people_who_are_no_vips():
    main, other = an_account(is_main=True), an_account()
    person = a_contact(is_vip=True)
    mailing = a_mailing(to=[person])
    run = start_now(mailing)
    _sent_through(main, run)
    Contact.objects.update(is_vip=False)
    again = start_now(_mailing_again(mailing))
    assert again.preferred_accounts == []
    assert len(claiming.claim(other, 1)) == 1


def test_with_one_account_nothing_is_looked_up():
    account = an_account()
    mailing = a_mailing(to=contacts(3))
    run = start_now(mailing)
    _sent_through(account, run)
    assert start_now(_mailing_again(mailing)).preferred_accounts == []


# Fair shares


@pytest.mark.parametrize(("limit", "claims"), [(1, 60), (2, 30), (20, 3)])
def test_runs_that_share_an_account_get_equal_shares(limit, claims):
    account = an_account()
    people = contacts(60)
    runs = [start_now(a_mailing(to=people)) for _run in range(3)]
    taken = Counter(
        delivery.run_id for _claim in range(claims) for delivery in claiming.claim(account, limit)
    )
    assert taken.total() == 60
    assert all(taken[run.pk] >= 12 for run in runs), "Of 20 each, and one mail at a time by chance."


def test_what_one_run_does_not_need_the_others_get():
    account = an_account()
    few, many = (
        start_now(a_mailing(to=contacts(2, domain="few.example"))),
        start_now(a_mailing(to=contacts(30))),
    )
    taken = Counter(delivery.run_id for delivery in claiming.claim(account, 20))
    assert taken == {few.pk: 2, many.pk: 18}
    assert len(claiming.claim(account, 20)) == 12


def test_several_accounts_share_the_mails_of_one_run():
    first, second = an_account(per_minute=10), an_account(per_minute=10)
    start_now(a_mailing(to=contacts(20)))
    for _turn in range(10):
        for account in (first, second):
            claiming.claim(account, 3)
    by_account = Counter(Delivery.objects.values_list("account", flat=True))
    assert by_account == {first.pk: 10, second.pk: 10}


def test_mails_that_were_refused_are_tried_again_while_others_wait_for_their_first_attempt():
    account = an_account()
    run = start_now(a_mailing(to=contacts(100)))
    refused = [delivery.pk for delivery in claiming.claim(account, 10)]
    Delivery.objects.filter(pk__in=refused).update(
        state=DeliveryState.DEFERRED, next_attempt_at=run.started_at, lease_until=None
    )
    claimed = [delivery.pk for _claim in range(4) for delivery in claiming.claim(account, 20)]
    assert 4 <= len(set(refused) & set(claimed)) <= 10
    assert len(claimed) == 80, "Most of them are first attempts."
