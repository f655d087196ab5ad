"""The state of a mailing says how its run is doing, in both directions, and always what to do."""

import pytest

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions, deciding
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import RUNNING, DeliveryState, MailingState
from tests.builders import a_mailing, an_account, contacts, start_now

pytestmark = pytest.mark.django_db


def _run(number=3):
    an_account()
    return start_now(a_mailing(to=contacts(number)))


def _put(run, *states):
    for delivery, state in zip(run.deliveries.order_by("pk"), states, strict=True):
        Delivery.objects.filter(pk=delivery.pk).update(state=state)


def _after_a_tick(run):
    run_tick()
    return Mailing.objects.get(pk=run.mailing_id)


@pytest.mark.parametrize("trouble", [DeliveryState.FAILED, DeliveryState.IN_DOUBT])
def test_trouble_shows_and_goes_away_again(trouble):
    run = _run()
    assert _after_a_tick(run).state == MailingState.ACTIVE
    _put(run, trouble, "accepted", "queued")
    assert _after_a_tick(run).state == MailingState.ACTIVE_ERROR
    _put(run, "accepted", "accepted", "queued")
    assert _after_a_tick(run).state == MailingState.ACTIVE


def test_a_decision_about_the_last_doubt_ends_the_trouble():
    run = _run()
    _put(run, "in_doubt", "accepted", "queued")
    run_tick()
    deciding.count_as_sent(run.mailing)
    assert _after_a_tick(run).state == MailingState.ACTIVE


def test_one_of_two_accounts_that_stops_is_trouble_and_not_the_end():
    run = _run()
    other = an_account(name="Other")
    SenderAccount.objects.filter(pk=other.pk).update(state=SenderAccount.State.FAULTY)
    assert _after_a_tick(run).state == MailingState.ACTIVE_ERROR
    SenderAccount.objects.update(state=SenderAccount.State.READY)
    assert _after_a_tick(run).state == MailingState.ACTIVE


@pytest.mark.parametrize("gone", ["faulty", "off", "deleted"])
def test_without_any_account_it_is_interrupted_and_says_what_to_do(gone):
    run = _run()
    if gone == "deleted":
        SenderAccount.objects.all().delete()
    else:
        SenderAccount.objects.update(state=gone)
    mailing = _after_a_tick(run)
    assert mailing.state == MailingState.INTERRUPTED
    assert "Resume" in mailing.notice


@pytest.mark.parametrize("only", [DeliveryState.IN_DOUBT, DeliveryState.FAILED, DeliveryState.ACCEPTED])
def test_with_nothing_left_to_send_it_is_done_even_without_an_account(only):
    """Doubts are an end: whoever decides about them may take days, and nothing else waits for it."""
    run = _run()
    SenderAccount.objects.update(state=SenderAccount.State.FAULTY)
    _put(run, only, "accepted", "accepted")
    assert _after_a_tick(run).state == MailingState.DONE


def test_a_mail_on_its_way_keeps_a_mailing_from_being_done():
    run = _run()
    _put(run, "handing", "accepted", "accepted")
    assert _after_a_tick(run).state in RUNNING


def test_what_fits_no_mail_at_all_pauses_the_mailing_once_with_the_reason():
    """F54: the mailing is larger than the server takes; nobody's mail fails for it."""
    run = _run()
    assert actions.hold_back(run.mailing, "The mails are too big for the server. Make the template smaller.")
    assert not actions.hold_back(run.mailing, "again")
    mailing = _after_a_tick(run)
    assert (mailing.state, mailing.notice[:8]) == (MailingState.PAUSED, "The mail")
    assert not run.deliveries.exclude(state=DeliveryState.QUEUED).exists()
    actions.resume(mailing)
    assert Mailing.objects.get(pk=mailing.pk).notice == ""
