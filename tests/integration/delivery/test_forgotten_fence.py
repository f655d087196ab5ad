"""A standby without the last commits takes over: the fence of a mail that has left is forgotten."""

from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin.delivery import claiming, ledger
from massmail_plugin.delivery.ledger import Entry
from massmail_plugin.delivery.sweeper import sweep
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
    assert ledger.commit_to_send([delivery])
    row.update(**before)
    entry = Entry(delivery.pk, delivery.claim_token, outcome, detail="250 Ok", past_fence=True)
    assert ledger.write([entry]) == 1
    assert Delivery.objects.get(pk=other.pk).state == DeliveryState.CLAIMED
    Delivery.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep()
    assert row.get().state == outcome
    assert [mail.pk for mail in claiming.claim(account, 2)] == [other.pk]
