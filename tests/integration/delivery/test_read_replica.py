"""F37: a host's router sends what is read to a replica of the database, which may be behind."""

from datetime import timedelta

import pytest
from django.utils import timezone

from massmail_plugin import preferences
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.pacing.of_account import ration_of
from massmail_plugin.delivery.keeping.sweeper import sweep
from massmail_plugin.delivery.ledger import clock, fence, routes
from massmail_plugin.delivery.ledger.choosing import Choice
from massmail_plugin.delivery.ledger.claiming import claim
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.mailings import actions, usage
from massmail_plugin.mailings.ending import finish_runs
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ListOptOut
from tests.builders import a_mailing, an_account, contacts, start_now

pytestmark = pytest.mark.django_db(transaction=True)


class Replica:
    """Of the ledger it may know less: that only keeps a mail from leaving. Of all else nothing may be asked."""

    def db_for_read(self, model, **hints):
        assert model is Delivery, f"{model.__name__} was read from a replica."


class EmptyReplica:
    """It has not heard of the claim yet."""

    def db_for_read(self, model, **hints):
        return "replica" if model is Delivery else None


def test_f37_what_was_claimed_is_read_where_it_was_written(settings, monkeypatch):
    account = an_account()
    start_now(a_mailing(to=contacts(3)))
    settings.DATABASE_ROUTERS = [EmptyReplica()]
    monkeypatch.setattr(Choice, "take", _taking(Choice.take, settings))
    assert len(claim(account, 10)) == 3


def _taking(take, settings):
    """What is chosen is locked, and so is read from the right database: only afterwards the replica comes in."""

    def do(self, number):
        settings.DATABASE_ROUTERS = []
        ids = take(self, number)
        settings.DATABASE_ROUTERS = [EmptyReplica()]
        return ids

    return do


def test_f37_who_has_said_no_is_asked_where_it_was_written(settings):
    account = an_account()
    start_now(a_mailing(to=contacts(3)))
    claimed = claim(account, 10)
    no, *others = claimed
    consent.opt_out(no.address, [Scope()], How(ConsentEvent.Method.LINK))
    settings.DATABASE_ROUTERS = [Replica()]

    assert fence.commit_to_send(claimed) == {delivery.pk for delivery in others}


class Silent:
    """A replica that has heard nothing of what anybody has said or pressed since the claim."""

    def db_for_read(self, model, **hints):
        asked = (EmailAddress, ListOptOut, ConsentEvent, Mailing)
        assert model not in asked, f"{model.__name__} was read from a replica."


@pytest.mark.parametrize("said", ["no to everything", "no to the list", "cancelled"])
def test_f37_why_the_fence_has_refused_is_asked_where_it_was_written(settings, said):
    """Or the mail would be queued again, claimed again and refused again, and the others of its mailing with it."""
    account = an_account()
    run = start_now(a_mailing(to=contacts(1)))
    [claimed] = claim(account, 10)
    if said == "cancelled":
        actions.cancel(run.mailing)
    else:
        scope = Scope() if said == "no to everything" else Scope(*next(iter(run.list_scopes.items())))
        consent.opt_out(claimed.address, [scope], How(ConsentEvent.Method.LINK))
    assert fence.commit_to_send([claimed]) == set()
    settings.DATABASE_ROUTERS = [Silent()]

    entry = outcomes.entry_for(claimed, Outcome(Verdict.FENCED))

    assert entry.state == (DeliveryState.CANCELLED if said == "cancelled" else DeliveryState.SKIPPED)


class Forgetful:
    """A replica that stands still: whoever asks it about mails is told of none."""

    def db_for_read(self, model, **hints):
        assert model is not Delivery, "The ledger was read from a replica."


@pytest.fixture
def no_replica(settings):
    """What is read without a lock, and what the tests themselves look at, comes from one database afterwards."""

    def begin():
        settings.DATABASE_ROUTERS = [Forgetful()]

    yield begin
    settings.DATABASE_ROUTERS = []


def test_f37_limits_are_counted_where_mails_are_claimed(no_replica):
    account = an_account(per_minute=2, per_hour=3, per_day=4)
    start_now(a_mailing(to=contacts(5)))
    site = preferences.load()
    ration = ration_of(account, site)
    no_replica()
    used = usage.used_by(ration, clock.now())
    assert used.hour.number == 0
    assert usage.used_by_domain(["customers.example"], clock.now()) == {"customers.example": 0}
    assert usage.sent_last_minute(account.pk, clock.now()) == 0


def test_f37_what_dead_workers_left_is_looked_for_where_it_was_written(no_replica, settings):
    account = an_account(connections=1)
    start_now(a_mailing(to=contacts(5)))
    claim(account, 5)
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    no_replica()
    assert sweep() == 5
    settings.DATABASE_ROUTERS = []
    assert list(Delivery.objects.order_by("pk").values_list("attempts", flat=True)) == [1, 1, 1, 0, 0]


def test_f37_what_a_fence_has_let_pass_in_part_is_asked_where_it_was_written(no_replica, settings):
    account = an_account()
    start_now(a_mailing(to=contacts(2)))
    claimed = claim(account, 2)
    consent.opt_out(claimed[0].address, [Scope()], How(ConsentEvent.Method.LINK))
    claimed[0].run.list_scopes  # noqa: B018
    no_replica()
    assert fence.commit_to_send(claimed) == {claimed[1].pk}


def test_f37_a_run_ends_by_the_ledger_itself(no_replica):
    account = an_account()
    run = start_now(a_mailing(to=contacts(2)))
    SenderAccount.objects.filter(pk=account.pk).update(is_main=True)
    run.has_vips = True
    no_replica()
    assert finish_runs() == 0
    assert not routes.has_takers(run)
