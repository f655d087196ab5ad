"""The owner is told: by mail, once for each stop, with the reason and what to do."""

import smtplib

import pytest
from django.core import mail

from massmail_plugin.accounts import faults
from massmail_plugin.delivery import telling
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.models import SenderAccount
from tests.builders import a_mailing, a_user, an_account, an_administrator, contacts, start_now


@pytest.fixture
def owner():
    return a_user("ada")


def told():
    """Return the notices since the last look: recipient, subject, text."""
    found = [(message.to[0], message.subject, message.body) for message in mail.outbox]
    mail.outbox.clear()
    return found


def test_the_owner_of_a_stopped_account_is_told_once_for_each_stop(owner):
    account = an_account(owner=owner)
    faults.stop(account, "535 5.7.8 The password is wrong.")
    run_tick()
    run_tick()
    [(to, subject, text)] = told()
    assert to == "ada@sandbox.example"
    assert "Sales" in subject
    assert "535 5.7.8 The password is wrong." in text
    assert "Test connection" in text
    assert f"http://127.0.0.1:8000/admin/massmail/accounts/inspect/{account.pk}/" in text

    faults.mend(account)
    run_tick()
    faults.stop(account, "Another fault.")
    run_tick()
    [(_to, _subject, text)] = told()
    assert "Another fault." in text


def test_a_login_that_is_refused_reaches_the_owner_by_itself(owner, smtp_server):
    """F40"""
    smtp_server.answer("EHLO", "550 5.7.1 Not for you")
    account = an_account(smtp_server, owner=owner)
    start_now(a_mailing(to=contacts(2), through=account))
    faults.stop(account, "550 5.7.1 Not for you")
    drain(account.pk)
    run_tick()
    [(to, subject, text)] = told()
    # One mail for both: the account and what it means for the mailing.
    assert (to, subject) == ("ada@sandbox.example", "Mailings: 2 things need you")
    assert "press Resume" in text


def test_an_interrupted_mailing_is_told_of_once_and_again_after_it_went_on(owner):
    account = an_account(owner=owner)
    mailing = a_mailing(to=contacts(1), through=account)
    start_now(mailing)
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    run_tick()
    run_tick()
    [(to, subject, text)] = told()
    assert (to, mailing.name in subject) == ("ada@sandbox.example", True)
    assert f"/admin/massmail/mailings/inspect/{mailing.pk}/" in text

    SenderAccount.objects.update(state=SenderAccount.State.READY)
    actions.resume(mailing)
    run_tick()
    assert told() == []
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    run_tick()
    assert len(told()) == 1


def test_who_pauses_a_mailing_is_not_told_of_it(owner):
    mailing = a_mailing(to=contacts(1), through=an_account(owner=owner))
    start_now(mailing)
    actions.pause(mailing)
    run_tick()
    assert told() == []
    Mailing.objects.update(notice="The mail is larger than the server takes.")
    run_tick()
    assert "larger than" in told()[0][2]


def test_what_has_no_owner_is_told_to_the_administrators():
    an_administrator()
    a_user("gone", is_superuser=True, is_active=False)
    faults.stop(an_account(), "It is broken.")
    run_tick()
    assert [to for to, _subject, _text in told()] == ["root@sandbox.example"]


def test_owners_who_cannot_be_reached_stop_nothing(owner):
    owner.email = ""
    owner.save()
    faults.stop(an_account(owner=owner), "It is broken.")
    assert run_tick() == []
    assert told() == []


def test_a_notice_that_cannot_be_sent_is_logged_without_the_address(owner, monkeypatch, caplog):
    def refuse(self, fail_silently=False):
        raise smtplib.SMTPRecipientsRefused({"ada@sandbox.example": (550, b"no")})

    monkeypatch.setattr(telling.EmailMessage, "send", refuse)
    faults.stop(an_account(owner=owner), "It is broken.")
    assert run_tick() == []
    assert f"User {owner.pk} could not be told: SMTPRecipientsRefused" in caplog.text
    assert "ada@" not in caplog.text


def test_a_notice_that_hangs_is_not_waited_for(owner, monkeypatch, caplog):
    import threading

    answered = threading.Event()
    monkeypatch.setattr(telling, "_PATIENCE", 0.01)
    monkeypatch.setattr(telling.EmailMessage, "send", lambda self: answered.wait(60))
    faults.stop(an_account(owner=owner), "It is broken.")
    try:
        assert run_tick() == []
        assert "takes long" in caplog.text
    finally:
        answered.set()


def test_whatever_breaks_the_work_goes_on(owner, monkeypatch, caplog):
    monkeypatch.setattr(telling, "faulty_accounts", lambda: 1 / 0)
    assert run_tick() == []
    assert "could not be told" in caplog.text


def test_it_is_told_in_the_readers_language(owner):
    from wagtail.users.models import UserProfile

    UserProfile.objects.create(user=owner, preferred_language="de")
    languages = []
    telling.tell(owner, lambda: languages.append(telling.translation.get_language()) or "x", lambda: "y")
    assert languages == ["de"]
