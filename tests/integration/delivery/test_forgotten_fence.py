"""A standby without the last commits takes over: the fence of a mail that has left is forgotten, or more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin.delivery.keeping import epoch, journal, replaying
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import claiming, fence, writing
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from tests.builders import a_mailing, an_account, contacts, start_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("outcome", [DeliveryState.ACCEPTED, DeliveryState.IN_DOUBT, DeliveryState.FAILED])
def test_what_its_worker_knows_is_written_all_the_same_and_the_mail_is_not_sent_again(outcome):
    account = an_account()
    start_now(a_mailing(to=contacts(2)))
    delivery, other = claiming.claim(account, 2)
    row = Delivery.objects.filter(pk=delivery.pk)
    before = row.values("state", "paced_at", "lease_until").get()
    assert fence.commit_to_send([delivery])
    row.update(**before)
    entry = Entry(delivery.pk, delivery.claim_token, outcome, detail="250 Ok", past_fence=True)
    assert writing.write([entry]) == 1
    assert Delivery.objects.get(pk=other.pk).state == DeliveryState.CLAIMED
    Delivery.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep()
    assert row.get().state == outcome
    assert [mail.pk for mail in claiming.claim(account, 2)] == [other.pk]


@pytest.mark.parametrize("is_claimed_anew", [False, True])
def test_a_mail_that_was_sent_and_of_whose_claim_nothing_is_known_waits_for_a_person(is_claimed_anew, caplog):
    account = an_account()
    start_now(a_mailing(to=contacts(2)))
    before = Delivery.objects.values().first()
    delivery, _other = claiming.claim(account, 2)
    assert fence.commit_to_send([delivery])
    Delivery.objects.filter(pk=delivery.pk).update(**before)
    anew = claiming.claim(account, 2) if is_claimed_anew else []
    entry = Entry(delivery.pk, delivery.claim_token, DeliveryState.ACCEPTED, detail="250 Ok", past_fence=True)
    assert writing.write([entry]) == 1
    doubted = Delivery.objects.get(pk=delivery.pk)
    assert (doubted.state, doubted.detail) == (DeliveryState.IN_DOUBT, "250 Ok")
    assert doubted.doubted_at
    assert "forgotten" in caplog.text
    assert not fence.commit_to_send(anew)
    assert delivery.pk not in [mail.pk for mail in claiming.claim(account, 2)]


@pytest.fixture
def folder(settings, tmp_path):
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path)}
    return tmp_path


def _left_behind(delivery):
    dead = journal.Journal()
    dead.append(Entry(delivery.pk, delivery.claim_token, DeliveryState.ACCEPTED, past_fence=True))
    dead.close(keep=True)


def test_a_journal_of_which_the_database_knows_nothing_is_put_aside(folder):
    account = an_account()
    start_now(a_mailing(to=contacts(1)))
    (delivery,) = claiming.claim(account, 1)
    _left_behind(delivery)
    Delivery.objects.all().delete()
    assert replaying.replay() == 0
    assert len(replaying.put_aside()) == 1


def test_a_journal_that_the_database_knew_already_is_done_with(folder):
    account = an_account()
    start_now(a_mailing(to=contacts(1)))
    (delivery,) = claiming.claim(account, 1)
    assert fence.commit_to_send([delivery])
    _left_behind(delivery)
    _left_behind(delivery)
    assert replaying.replay() == 1
    assert replaying.unread() == replaying.put_aside() == []


def test_a_database_that_is_in_doubt_is_told_nothing(folder, monkeypatch):
    account = an_account()
    start_now(a_mailing(to=contacts(1)))
    (delivery,) = claiming.claim(account, 1)
    assert fence.commit_to_send([delivery])
    _left_behind(delivery)
    monkeypatch.setattr(epoch, "may_send", lambda: False)
    run_tick()
    assert len(replaying.unread()) == 1
    assert Delivery.objects.get().state == DeliveryState.HANDING
