"""A running mailing says so when its mail server does not answer."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.models import SenderAccount
from tests.builders import a_mailing, a_user, an_account, contacts, start_now
from tests.integration.admin.conftest import Counting

pytestmark = pytest.mark.django_db

OUTAGE = "The mail server cannot be reached: "


@pytest.fixture
def mailing():
    """A running mailing to two people, through a server that is not there."""
    account = an_account()
    mailing = a_mailing(to=contacts(2))
    start_now(mailing)
    drain(account.pk)
    mailing.refresh_from_db()
    assert mailing.state == "active"
    return mailing


def _shown(editor, mailing, name="progress"):
    return editor.get(reverse(f"massmail_mailings:{name}", args=[mailing.pk])).context["sentence"]


@pytest.mark.parametrize("name", ["inspect", "progress"])
def test_the_page_says_that_the_server_cannot_be_reached(editor, mailing, name):
    shown = _shown(editor, mailing, name)
    assert shown.startswith(OUTAGE)
    assert "refused" in shown
    assert shown.endswith(". It is tried again every minute.")


def test_an_outage_is_over_once_a_mail_has_left(editor, mailing):
    first = Delivery.objects.filter(run__mailing=mailing).first()
    Delivery.objects.filter(pk=first.pk).update(state="accepted", handed_at=timezone.now())
    assert _shown(editor, mailing) == "Mails are leaving."


def test_mails_that_left_before_it_do_not_hide_an_outage(editor, mailing):
    first = Delivery.objects.filter(run__mailing=mailing).first()
    earlier = timezone.now() - timedelta(hours=1)
    Delivery.objects.filter(pk=first.pk).update(state="accepted", handed_at=earlier)
    assert _shown(editor, mailing).startswith(OUTAGE)


def test_an_old_fault_is_not_told_any_more(editor, mailing):
    SenderAccount.objects.update(last_fault_at=timezone.now() - timedelta(minutes=6))
    assert _shown(editor, mailing) == "Mails are leaving."


def test_a_fault_of_somebody_elses_account_is_not_told(editor, mailing):
    SenderAccount.objects.update(owner=a_user())
    an_account()
    assert _shown(editor, mailing) == "Mails are leaving."


def test_a_mailing_whose_account_was_switched_off_does_not_say_that_mails_leave(editor, mailing):
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    assert _shown(editor, mailing).startswith("No sender account is ready")


def test_more_accounts_need_no_more_queries(editor, mailing):
    count, url = Counting(editor), reverse("massmail_mailings:progress", args=[mailing.pk])
    few = count(url)
    for _number in range(3):
        an_account(last_fault="no", last_fault_at=timezone.now())
    assert count(url) == few
