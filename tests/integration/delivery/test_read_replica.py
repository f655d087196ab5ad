"""F37: a host's router sends what is read to a replica of the database, which may be behind."""

import pytest

from massmail_plugin.delivery import ledger
from massmail_plugin.delivery.choosing import Choice
from massmail_plugin.delivery.claiming import claim
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent
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

    assert ledger.commit_to_send(claimed) == {delivery.pk for delivery in others}
