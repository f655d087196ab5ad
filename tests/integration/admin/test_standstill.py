"""A mailing's page says why its mails stand still, and where to do something about it."""

import pytest
from django.urls import reverse

from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import MailingState
from tests.builders import a_mailing, a_user, an_account, contacts, start_now
from tests.integration.admin.conftest import Counting, allow

pytestmark = pytest.mark.django_db

FAULT = "535 5.7.8 <Authentication> failed"


def _page(client, mailing, name="inspect"):
    return client.get(reverse(f"massmail_mailings:{name}", args=[mailing.pk])).content.decode()


@pytest.fixture
def alive():
    heartbeats.beat(Heartbeat.Kind.TICK)


def _mailing(**account):
    through = an_account(**account)
    mailing = a_mailing(to=contacts(2), owner=through.owner)
    start_now(mailing)
    return mailing, through


@pytest.mark.parametrize("name", ["inspect", "progress"])
def test_an_interrupted_mailing_shows_the_accounts_fault_and_leads_there(editor, alive, name):
    mailing, account = _mailing(name="Berlin", owner=editor.user)
    faults.stop(account, FAULT)
    run_tick()
    page = _page(editor, mailing, name)
    assert "The sender account “Berlin” has stopped: 535 5.7.8 &lt;Authentication&gt; failed" in page
    assert reverse("massmail_accounts:inspect", args=[account.pk]) in page
    assert "then press Resume" in page


def test_who_may_not_look_at_the_account_is_told_whom_to_ask(signed_in, alive):
    mailing, account = _mailing()
    faults.stop(account, FAULT)
    reader = signed_in(allow(a_user(), "view_mailing"))
    page = _page(reader, mailing)
    assert "Tell its owner" in page
    assert reverse("massmail_accounts:inspect", args=[account.pk]) not in page


def test_a_stopped_account_is_told_while_another_goes_on(editor, alive):
    mailing, account = _mailing(name="Berlin")
    an_account(name="Paris")
    faults.stop(account, FAULT)
    run_tick()
    assert Mailing.objects.get().state == MailingState.ACTIVE_ERROR
    assert "“Berlin” has stopped" in _page(editor, mailing)


def test_somebody_elses_stopped_account_is_nobody_elses_trouble(editor, alive):
    mailing, _account = _mailing()
    faults.stop(an_account(owner=a_user(), name="Private"), FAULT)
    assert "Private" not in _page(editor, mailing)


def test_when_the_owner_was_deleted_everybodys_stopped_account_is_not_the_mailings_trouble(editor, alive):
    mailing, account = _mailing(owner=a_user())
    account.owner.delete()
    faults.stop(an_account(name="Everybody's"), FAULT)
    run_tick()
    assert Mailing.objects.get().state == MailingState.INTERRUPTED
    assert "has stopped:" not in _page(editor, mailing)


@pytest.mark.parametrize("state", ["done", "cancelled", "draft", "paused"])
def test_where_nothing_waits_nothing_is_alarming(editor, state):
    mailing, account = _mailing()
    faults.stop(account, FAULT)
    Mailing.objects.update(state=state)
    page = _page(editor, mailing)
    assert "has stopped" not in page
    assert "No worker" not in page


def test_without_any_worker_the_page_says_so_until_one_is_seen(editor):
    mailing, _account = _mailing()
    assert "No worker has ever been seen" in _page(editor, mailing)
    heartbeats.beat(Heartbeat.Kind.TICK)
    assert "No worker" not in _page(editor, mailing)


def test_a_mailing_that_was_held_back_says_why_and_not_that_a_person_did_it(editor, alive):
    mailing, _account = _mailing()
    actions.hold_back(mailing, "The mails are <too> big.")
    page = _page(editor, mailing)
    assert "The mails are &lt;too&gt; big." in page
    assert "by a person" not in page
    assert "Resume" in page


def test_more_stopped_accounts_need_no_more_queries(editor, alive):
    mailing, _account = _mailing()
    for number in range(2):
        faults.stop(an_account(name=f"Account {number}"), FAULT)
    count, url = Counting(editor), reverse("massmail_mailings:progress", args=[mailing.pk])
    few = count(url)
    for number in range(5):
        faults.stop(an_account(name=f"More {number}"), FAULT)
    assert count(url) == few
    assert SenderAccount.objects.filter(state="faulty").count() == 7
