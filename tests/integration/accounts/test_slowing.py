"""Back-off after a server's complaint, written to the account's row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.of_account import ration_of, slowdown_of
from massmail_plugin.accounts.pacing.ration import Used, decide
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.accounts.slowing import slow_down
from tests.builders import an_account

pytestmark = pytest.mark.django_db


def test_a_complaint_makes_the_account_wait_and_halves_its_speed() -> None:
    account, now = an_account(), timezone.now()
    slow_down(account.pk, now, sent_last_minute=40)
    account.refresh_from_db()
    share = decide(ration_of(account), now, Used(), 5)
    assert (share.count, share.why, share.next_at) == (0, Why.SERVER_WAIT, now + timedelta(minutes=1))
    assert decide(ration_of(account), now + timedelta(minutes=1), Used(), 50).count == 20


def test_workers_that_hear_it_at_the_same_time_slow_it_down_once() -> None:
    account, now = an_account(), timezone.now()
    first = slow_down(account.pk, now, sent_last_minute=40)
    assert slow_down(account.pk, now + timedelta(seconds=1), sent_last_minute=40) == first


def test_what_the_server_asks_for_is_kept() -> None:
    account, now = an_account(), timezone.now()
    slow_down(account.pk, now, sent_last_minute=40, retry_after=300.0)
    account.refresh_from_db()
    assert slowdown_of(account).resume_at == now + timedelta(minutes=5)


def test_it_waits_longer_each_time_it_complains_again() -> None:
    account, now = an_account(), timezone.now()
    for minutes in (1, 2, 4):
        slow = slow_down(account.pk, now, sent_last_minute=40)
        assert slow
        assert slow.resume_at == now + timedelta(minutes=minutes)
        now = slow.resume_at


def test_a_deleted_account_is_not_slowed() -> None:
    assert slow_down(12345, timezone.now(), sent_last_minute=1) is None
    assert not SenderAccount.objects.exists()
