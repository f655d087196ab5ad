"""Confirmation mails of sign-ups: sent soon by whoever does the work, once, and never lost silently."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from massmail_plugin import preferences
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.sign_ups import LINK_WORKS, SignUp
from massmail_plugin.delivery import tasks
from massmail_plugin.delivery.doctor import mails as doctor
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.ledger import claiming
from massmail_plugin.delivery.models import Nudge
from massmail_plugin.delivery.running import nudges
from massmail_plugin.delivery.running.foreground import Foreground
from massmail_plugin.delivery.single import sign_up_mails
from massmail_plugin.feedback import signing_up
from massmail_plugin.mailings.usage import Sent, sent_through
from massmail_plugin.models import SenderAccount
from tests.builders import a_contact, a_mailing, a_target_list, an_account, start_now
from tests.smtp_server import SmtpServer

pytestmark = pytest.mark.django_db(transaction=True)

EVE = "eve@customers.example"
TASK = "massmail_plugin.delivery.tasks.send_sign_up_mails"


@pytest.fixture
def news() -> TargetListPage:
    page = a_target_list(title="News")
    TargetListPage.objects.filter(pk=page.pk).update(is_public=True)
    return page


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(nudges, "_enqueue", lambda *call: calls.append(call))
    return calls


def asked(news: TargetListPage, email: str = EVE) -> SignUp:
    signing_up.ask(news, email, "Eve", {})
    return SignUp.objects.latest("pk")


def due(sign_up: SignUp) -> SignUp:
    """Let the time for the next attempt come."""
    SignUp.objects.filter(pk=sign_up.pk).update(next_attempt_at=timezone.now())
    sign_up.refresh_from_db()
    return sign_up


def test_asking_nudges_a_worker_at_once_and_the_tick_again(
    news: TargetListPage, queued: list[tuple[Any, ...]]
) -> None:
    asked(news)
    assert queued == [(TASK,)]
    tasks.tick()
    assert queued == [(TASK,), (TASK,)]


def test_a_worker_without_a_cluster_is_nudged_too(news: TargetListPage, settings: Any) -> None:
    settings.MASSMAIL = {**settings.MASSMAIL, "RUNNER": "worker"}
    asked(news)
    assert Nudge.objects.exists()


@pytest.mark.parametrize("runner", ["task", "worker"])
def test_whoever_does_the_work_sends_it(news: TargetListPage, smtp_server: SmtpServer, runner: str) -> None:
    an_account(smtp_server)
    asked(news)
    if runner == "task":
        tasks.send_sign_up_mails()
    else:
        Foreground(threads=2).run_once(60)
    assert smtp_server.recipients == [EVE]
    assert not sign_up_mails.are_waiting()


def test_a_temporary_refusal_is_tried_again_later_and_not_for_ever(
    news: TargetListPage, smtp_server: SmtpServer
) -> None:
    an_account(smtp_server)
    smtp_server.answer("RCPT", "451 4.3.0 Try again later")
    sign_up = asked(news)
    for _attempt in range(7):
        sign_up_mails.send_waiting()
        assert not sign_up_mails.are_waiting()
        due(sign_up)
    assert sign_up.attempts == 5
    smtp_server.behave()
    assert sign_up_mails.send_waiting() == 0


def test_a_refusal_for_good_is_the_end(news: TargetListPage, smtp_server: SmtpServer) -> None:
    an_account(smtp_server)
    smtp_server.answer("RCPT", "550 5.1.1 No such user")
    sign_up = asked(news)
    sign_up_mails.send_waiting()
    sign_up.refresh_from_db()
    assert sign_up.next_attempt_at is None


def test_a_mail_in_doubt_is_not_sent_twice(news: TargetListPage, smtp_server: SmtpServer) -> None:
    an_account(smtp_server)
    smtp_server.hang_up("dot", times=1)
    asked(news)
    sign_up_mails.send_waiting()
    sign_up_mails.send_waiting()
    assert smtp_server.recipients == [EVE]


def test_a_wrong_password_stops_the_account_and_the_mail_waits(
    news: TargetListPage, smtp_server: SmtpServer
) -> None:
    smtp_server.users["sales"] = "right"
    account = an_account(smtp_server, username="sales", password=Secret.of("wrong"))
    sign_up = asked(news)
    asked(news, "second@customers.example")
    assert sign_up_mails.send_waiting() == 0
    account.refresh_from_db()
    assert account.state == SenderAccount.State.FAULTY
    assert smtp_server.connections == 1, "Servers lock accounts that try again and again."
    assert due(sign_up).attempts == 0


def test_two_workers_send_it_once(
    news: TargetListPage, smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(smtp_server)
    asked(news)
    deliver = sign_up_mails._deliver

    def while_another_looks(*arguments: Any) -> Any:
        monkeypatch.setattr(sign_up_mails, "_deliver", deliver)
        assert sign_up_mails.send_waiting() == 0
        return deliver(*arguments)

    monkeypatch.setattr(sign_up_mails, "_deliver", while_another_looks)
    assert sign_up_mails.send_waiting() == 1
    assert smtp_server.recipients == [EVE]


def test_nothing_is_sent_from_a_database_that_is_in_doubt(
    news: TargetListPage, smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(smtp_server)
    asked(news)
    monkeypatch.setattr(epoch, "may_send", lambda: False)
    assert sign_up_mails.send_waiting() == 0
    assert smtp_server.recipients == []


def test_a_mail_whose_link_would_be_too_old_is_not_sent(
    news: TargetListPage, smtp_server: SmtpServer
) -> None:
    an_account(smtp_server)
    asked(news)
    SignUp.objects.update(asked_at=timezone.now() - LINK_WORKS)
    assert not sign_up_mails.are_waiting()


def test_the_doctor_says_that_people_wait(news: TargetListPage) -> None:
    asked(news)
    assert list(doctor.sign_ups()) == []
    SignUp.objects.update(asked_at=timezone.now() - dt.timedelta(minutes=10))
    (finding,) = doctor.sign_ups()
    assert "1 confirmation mail" in finding.says


def test_they_count_against_the_accounts_limit(news: TargetListPage, smtp_server: SmtpServer) -> None:
    account = an_account(smtp_server, per_hour=2)
    first, _second, third = (asked(news, f"p{n}@customers.example") for n in range(3))

    assert sign_up_mails.send_waiting() == 2
    assert len(smtp_server.mails) == 2
    start_now(a_mailing(to=[a_contact()]))
    assert claiming.claim(account, 5) == [], "Mailings have no room either."
    assert sent_through([account.pk], timezone.now())[account.pk] == Sent(hour=2, day=2)
    third.refresh_from_db()
    assert (third.attempts, third.account_id) == (0, None)

    SignUp.objects.filter(pk=first.pk).update(paced_at=timezone.now() - dt.timedelta(hours=2))
    due(third)
    assert sign_up_mails.send_waiting() == 1


def test_mailings_leave_no_room_either(news: TargetListPage, smtp_server: SmtpServer) -> None:
    account = an_account(smtp_server, per_minute=1)
    start_now(a_mailing(to=[a_contact()]))
    assert len(claiming.claim(account, 5)) == 1
    waiting = asked(news)

    assert sign_up_mails.send_waiting() == 0
    waiting.refresh_from_db()
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at > timezone.now()


def test_another_account_with_room_takes_it(news: TargetListPage, smtp_server: SmtpServer) -> None:
    an_account(smtp_server, name="A", per_day=1)
    other = an_account(smtp_server, name="B", from_email="b@sandbox.example")
    both = [asked(news, f"p{n}@customers.example") for n in range(2)]

    assert sign_up_mails.send_waiting() == 2
    both[1].refresh_from_db()
    assert both[1].account == other


def test_the_limit_of_all_accounts_counts_them(news: TargetListPage, smtp_server: SmtpServer) -> None:
    chosen = preferences.load()
    chosen.per_hour_limit = 1
    chosen.save()
    an_account(smtp_server)
    for number in range(2):
        asked(news, f"p{number}@customers.example")

    assert sign_up_mails.send_waiting() == 1


def test_they_do_not_wait_for_working_hours(news: TargetListPage, smtp_server: SmtpServer) -> None:
    """Somebody waits in front of the screen, and the link works for three days."""
    an_account(smtp_server, working_hours_only=True, working_days=[])
    asked(news)

    assert sign_up_mails.send_waiting() == 1


def test_one_that_did_not_leave_counts_for_nothing(news: TargetListPage) -> None:
    an_account(per_hour=1)
    waiting = asked(news)
    sign_up_mails.send_waiting()
    waiting.refresh_from_db()

    assert waiting.paced_at is None
