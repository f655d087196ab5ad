"""A start that is broken off leaves nothing behind that could be sent, and can be made anew."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.models import Epoch
from massmail_plugin.mailings import actions, ending, freeze, people, preflight, starting
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.mailings.verbs import Refused
from tests.builders import a_mailing, an_account, contacts

# A kill between two transactions has to show.
pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 6


@pytest.fixture
def half_frozen(monkeypatch):
    """A pending mailing of which two of six people are in the ledger."""
    monkeypatch.setattr(freeze, "SLICE", 2)
    an_account()
    mailing = a_mailing(to=contacts(PEOPLE))
    actions.release(mailing)
    assert starting.start(mailing, stop=lambda: Delivery.objects.exists()) is None
    assert Delivery.objects.count() == 2
    mailing.refresh_from_db()
    return mailing


def _state(mailing):
    return Mailing.objects.get(pk=mailing.pk).state


def _starts_anew(mailing):
    actions.resume(mailing)
    assert _state(mailing) == MailingState.PENDING
    [run] = starting.start_due()
    assert Delivery.objects.filter(run=run, state=DeliveryState.QUEUED).count() == PEOPLE
    return True


def _leaves_nothing():
    return not (Run.objects.exists() or Delivery.objects.exists() or Audience.objects.exists())


def test_a_restored_backup_in_the_middle_of_a_start(half_frozen):
    Epoch.objects.create(doubt="behind", mark=7)
    assert epoch.confirm(pause=True) == 1
    assert _state(half_frozen) == MailingState.INTERRUPTED
    assert _leaves_nothing()
    assert _starts_anew(half_frozen)


def test_no_account_any_more_in_the_middle_of_a_start(half_frozen):
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    assert starting.start_due() == []
    assert _state(half_frozen) == MailingState.INTERRUPTED
    assert _leaves_nothing()
    SenderAccount.objects.update(state=SenderAccount.State.READY)
    assert _starts_anew(half_frozen)


@pytest.mark.parametrize("late", [False, True], ids=["cannot start", "overdue"])
def test_a_kill_while_a_start_is_broken_off_changes_nothing(half_frozen, monkeypatch, late):
    def killed(mailing):
        raise OperationalError("the process died here")

    monkeypatch.setattr(freeze, "discard", killed)
    if late:
        long_ago = timezone.now() - timedelta(days=1)
        Mailing.objects.update(start_at=long_ago)
        Run.objects.update(started_at=long_ago)
    else:
        SenderAccount.objects.update(state=SenderAccount.State.OFF)
    with pytest.raises(OperationalError):
        starting.start_due() if late else starting.start(half_frozen)
    assert _state(half_frozen) == MailingState.PENDING

    monkeypatch.undo()
    assert starting.start_due() == []
    assert _state(half_frozen) == MailingState.INTERRUPTED
    assert _leaves_nothing()


def test_a_long_mailing_that_is_resumed_is_counted_further_each_time(half_frozen, monkeypatch):
    """Who asks no longer than a step takes gets to the end all the same."""
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    starting.start_due()
    SenderAccount.objects.update(state=SenderAccount.State.READY)
    # As if both had taken longer than anybody waits.
    monkeypatch.setattr(people, "PATIENCE_AT_SEND", -1)
    monkeypatch.setattr(people, "PATIENCE_SECONDS", -1)
    with pytest.raises(Refused, match=r"still being counted.* draft again"):
        actions.resume(half_frozen)
    assert _state(half_frozen) == MailingState.DRAFT
    assert people.go_on_counting(lambda: False) is False

    actions.release(Mailing.objects.get(pk=half_frozen.pk))
    [run] = starting.start_due()
    assert Delivery.objects.filter(run=run, state=DeliveryState.QUEUED).count() == PEOPLE


def test_what_an_older_release_left_half_frozen_is_never_sent_and_never_called_done(half_frozen):
    Mailing.objects.update(state=MailingState.INTERRUPTED)
    assert _starts_anew(half_frozen)


def test_a_run_that_is_not_whole_is_no_work_whatever_its_mailing_says(half_frozen):
    Mailing.objects.update(state=MailingState.ACTIVE)
    assert not Run.through_accounts_of(None).exists()
    Delivery.objects.update(state=DeliveryState.ACCEPTED)
    assert ending.finish_runs() == 0


def test_a_start_that_was_withdrawn_does_not_break_the_one_after_it(half_frozen, monkeypatch):
    """Somebody mends what a worker has just found wrong, and sends again: that reason is the first start's alone."""
    check = preflight.check

    def meanwhile(*args, **kwargs):
        monkeypatch.setattr(preflight, "check", check)
        problems = check(*args, **kwargs)
        SenderAccount.objects.update(state=SenderAccount.State.READY)
        actions.withdraw(half_frozen)
        Mailing.objects.update(start_at=None)
        actions.release(Mailing.objects.get(pk=half_frozen.pk))
        return problems

    monkeypatch.setattr(preflight, "check", meanwhile)
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    assert starting.start_due() == []
    assert _state(half_frozen) == MailingState.PENDING
    [run] = starting.start_due()
    assert Delivery.objects.filter(run=run, state=DeliveryState.QUEUED).count() == PEOPLE
