"""Before Send and while they wait, people are told when the next mail leaves, why not now, and when it will be done."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from massmail_plugin import preferences
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.mailings import forecast, forecast_words
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.preflight import Finding, Place, check
from massmail_plugin.mailings.states import DeliveryState
from tests.builders import a_contact, a_mailing, a_user, an_account, contacts, start_now

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

FRIDAY = datetime(2026, 11, 27, 11, 0, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 11, 30, 7, 30, tzinfo=UTC)
OFFICE: dict[str, Any] = {"working_hours_only": True, "time_zone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def friday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: FRIDAY)


def _sent(account: SenderAccount, *marks: datetime) -> None:
    run = start_now(a_mailing(to=contacts(len(marks)), through=account))
    for delivery, mark in zip(run.deliveries.all(), marks, strict=True):
        Delivery.objects.filter(pk=delivery.pk).update(
            state=DeliveryState.ACCEPTED, account=account, paced_at=mark
        )


def _warnings(mailing: Mailing) -> list[Finding]:
    return [warning for warning in check(mailing).warnings if warning.place is Place.ACCOUNTS]


def test_before_send_on_a_friday_it_says_that_nothing_leaves_before_monday() -> None:
    mailing = a_mailing(to=[a_contact()], through=an_account(owner=a_user(), **OFFICE))
    (warning,) = _warnings(mailing)
    assert "Nothing leaves before Monday" in warning
    assert "not one of the account's working days" in warning


def test_only_a_main_account_on_a_friday_is_said_in_so_many_words() -> None:
    mailing = a_mailing(to=[a_contact()], through=an_account(owner=a_user(), is_main=True, **OFFICE))
    found = check(mailing)
    assert any("only to VIP recipients" in problem for problem in found.problems)


def test_a_main_account_with_vips_on_a_friday_waits_until_monday() -> None:
    mailing = a_mailing(
        to=[a_contact(is_vip=True)], through=an_account(owner=a_user(), is_main=True, **OFFICE)
    )
    found = check(mailing)
    assert not found.problems
    assert any("Nothing leaves before Monday" in warning for warning in found.warnings)


def test_a_mailing_that_starts_in_working_hours_warns_of_nothing() -> None:
    mailing = a_mailing(
        to=[a_contact()],
        through=an_account(owner=a_user(), **OFFICE),
        start_at=MONDAY_MORNING + timedelta(hours=1),
    )
    assert not _warnings(mailing)


def test_one_of_several_accounts_that_is_open_is_enough() -> None:
    owner = a_user()
    an_account(owner=owner)
    mailing = a_mailing(to=[a_contact()], through=an_account(owner=owner, **OFFICE))
    assert not _warnings(mailing)


def test_before_send_it_says_how_long_it_will_take() -> None:
    account = an_account(owner=a_user(), per_day=3, spread_evenly=True, **OFFICE)
    found = check(a_mailing(to=contacts(12), through=account)).warnings
    assert any("about 4 days of sending, until about Dec. 3, 2026" in warning for warning in found)


def test_an_account_that_never_works_cannot_be_used() -> None:
    site = preferences.load()
    site.holidays = [
        preferences.Holiday(date=date(2026, 11, 1) + timedelta(days=number)) for number in range(500)
    ]
    site.save()
    mailing = a_mailing(to=[a_contact()], through=an_account(owner=a_user(), **OFFICE))
    assert any("no working time" in problem for problem in check(mailing).problems)


def test_a_holiday_puts_the_next_mail_off() -> None:
    site = preferences.load()
    site.holidays = [preferences.Holiday(date=date(2026, 11, 30), name="St Andrew's Day")]
    site.save()
    found = forecast.of_account(an_account(**OFFICE), FRIDAY)
    assert (found.why, found.next_at) == (Why.DAY_OFF, MONDAY_MORNING + timedelta(days=1))


def test_an_account_tells_its_next_mail_by_what_it_has_sent() -> None:
    account = an_account(owner=a_user(), per_hour=2)
    _sent(account, FRIDAY - timedelta(minutes=50), FRIDAY - timedelta(minutes=5))
    found = forecast.of_account(account, FRIDAY)
    assert (found.why, found.next_at) == (Why.PER_HOUR, FRIDAY + timedelta(minutes=10))
    assert "Nothing leaves before Friday" in forecast_words.waiting_sentence(found, FRIDAY)


def test_an_account_without_limits_sends_now() -> None:
    found = forecast.of_account(an_account(), FRIDAY)
    assert (found.why, found.next_at) == (None, FRIDAY)
    assert not forecast_words.waiting_sentence(found, FRIDAY)


def test_a_run_that_shares_its_account_takes_longer() -> None:
    account = an_account(owner=a_user(), per_hour=10)
    run = start_now(a_mailing(to=contacts(30), through=account))
    alone = forecast.of_run(run, 30, FRIDAY).end
    start_now(a_mailing(to=contacts(30, domain="elsewhere.example"), through=account))
    together = forecast.of_run(run, 30, FRIDAY).end
    assert alone
    assert together
    assert together.done_at - FRIDAY == pytest.approx(2 * (alone.done_at - FRIDAY), abs=timedelta(minutes=1))


def test_vips_and_others_go_their_own_ways() -> None:
    owner = a_user()
    an_account(owner=owner, is_main=True, per_hour=1)
    account = an_account(owner=owner, per_hour=10)
    run = start_now(
        a_mailing(to=[*contacts(20), a_contact("vip@customers.example", is_vip=True)], through=account)
    )
    found = forecast.of_run(run, 21, FRIDAY)
    assert found.next_at == FRIDAY
    assert found.end
    assert found.end.done_at - FRIDAY == pytest.approx(timedelta(hours=2), abs=timedelta(minutes=5))


def test_short_ends_are_told_in_hours_and_long_ones_in_days() -> None:
    account = an_account(owner=a_user(), per_hour=10)
    run = start_now(a_mailing(to=contacts(30), through=account))
    short, long = (forecast.of_run(run, number, FRIDAY).end for number in (30, 600))
    assert short
    assert long
    assert "about 3 hours" in forecast_words.ending_sentence(short, FRIDAY).replace("\xa0", " ")
    assert "days of sending" in forecast_words.ending_sentence(long, FRIDAY)


def test_working_hours_that_end_before_they_begin_are_refused_with_their_reason() -> None:
    from django.core.exceptions import ValidationError

    account = an_account(**OFFICE, work_from=time(22), work_until=time(6))
    with pytest.raises(ValidationError) as refused:
        account.full_clean()
    assert "work_until" in refused.value.message_dict


def test_a_main_account_that_is_open_helps_nobody_when_only_others_wait() -> None:
    owner = a_user()
    an_account(owner=owner, is_main=True)
    account = an_account(owner=owner, **OFFICE)
    mailing = a_mailing(to=contacts(3), through=account)
    start_now(mailing)
    assert "Nothing leaves before Monday" in forecast_words.wait_of(mailing, 3, FRIDAY)
    assert not forecast_words.wait_of(mailing, 3, MONDAY_MORNING)
    assert not forecast_words.wait_of(mailing, 0, FRIDAY)
