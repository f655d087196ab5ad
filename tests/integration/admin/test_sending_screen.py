"""The screen "Sending", and the alarms wherever mailings are shown: only when something is wrong."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.models import Epoch, Heartbeat
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.usage import sent_through
from massmail_plugin.models import SenderAccount
from tests.builders import a_mailing, a_user, an_account, contacts, start_now
from tests.integration.admin.conftest import Counting, a_reader, a_stranger, allow, refused

pytestmark = pytest.mark.django_db

SENDING = "/admin/massmail/sending/"


@pytest.fixture
def mailing():
    """A mailing under way, and a worker that was seen just now."""
    an_account()
    run_tick()
    return start_now(a_mailing(to=contacts(2))).mailing


def fall_silent(minutes):
    before = clock.now() - timedelta(minutes=minutes)
    Heartbeat.objects.update(last_seen=before, started_at=before)


def pages(mailing):
    """Return the addresses of all pages that show alarms."""
    return [
        reverse("wagtailadmin_home"),
        reverse("massmail_mailings:index"),
        reverse("massmail_mailings:inspect", args=[mailing.pk]),
        SENDING,
    ]


def text_of(client, url):
    return client.get(url).content.decode().replace("\xa0", " ")


def test_while_all_is_well_there_is_no_alarm(administrator, mailing):
    for url in pages(mailing):
        text = text_of(administrator, url)
        assert "Mails wait" not in text, url
        assert "No mail is sent" not in text, url
    assert "Workers are alive" in text_of(administrator, SENDING)


def test_a_silence_is_told_on_every_page_with_what_to_do(administrator, mailing):
    fall_silent(7)
    for url in pages(mailing):
        assert "No worker has been seen for 7 minutes. Mails wait." in text_of(administrator, url), url
    assert "manage.py qcluster" in text_of(administrator, SENDING)


def test_without_a_cluster_another_command_is_named(administrator, mailing, settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "RUNNER": "worker"}
    fall_silent(7)
    assert "manage.py massmail_worker" in text_of(administrator, SENDING)


def test_silence_disturbs_nobody_while_nothing_waits(administrator, mailing):
    fall_silent(7)
    Mailing.objects.update(state="done")
    assert "No worker" not in text_of(administrator, reverse("wagtailadmin_home"))


def test_a_site_that_never_had_a_worker(administrator, mailing):
    Heartbeat.objects.all().delete()
    assert "No worker has ever been seen" in text_of(administrator, reverse("wagtailadmin_home"))
    assert "never" in text_of(administrator, SENDING)


def test_editors_are_told_whom_to_tell(editor, mailing):
    fall_silent(7)
    text = text_of(editor, reverse("wagtailadmin_home"))
    assert "Tell the people who run this site." in text
    assert SENDING not in text


def test_strangers_see_nothing_of_it(signed_in, mailing):
    fall_silent(7)
    assert "Mails wait" not in text_of(signed_in(a_stranger()), reverse("wagtailadmin_home"))


def test_owners_see_their_own_stopped_account_on_the_start_page(editor, mailing):
    stopped = {"state": SenderAccount.State.FAULTY, "last_fault": "535 The password is wrong"}
    mine = an_account(owner=editor.user, name="Mine", **stopped)
    an_account(owner=a_user(), name="Somebody else's", **stopped)
    text = text_of(editor, reverse("wagtailadmin_home"))
    assert "Your sender account “Mine” has stopped: 535 The password is wrong" in text
    assert reverse("massmail_accounts:inspect", args=[mine.pk]) in text
    assert "Somebody else" not in text


def test_who_may_see_the_screen(signed_in, editor, administrator, mailing):
    assert refused(editor.get(SENDING))
    assert refused(signed_in(a_reader()).get(SENDING))
    assert administrator.get(SENDING).status_code == 200
    looker = signed_in(allow(a_user(), "view_epoch"))
    assert looker.get(SENDING).status_code == 200
    menu = text_of(looker, reverse("wagtailadmin_home"))
    assert SENDING in menu
    assert SENDING not in text_of(editor, reverse("wagtailadmin_home"))


def test_the_permissions_can_be_given_in_the_group_editor(administrator):
    text = text_of(administrator, reverse("wagtailusers_groups:add"))
    for codename in ("view_epoch", "change_epoch"):
        assert f'name="permissions" value="{Permission.objects.get(codename=codename).pk}"' in text


def test_a_doubtful_database_is_told_of_everywhere_and_asks_for_a_decision(administrator, mailing):
    Epoch.objects.update(doubt="behind")
    for url in pages(mailing):
        assert "The database has gone back in time" in text_of(administrator, url), url
    response = administrator.post(f"{SENDING}confirm/", follow=True)
    assert "1 mailing waits" in response.content.decode()
    mailing.refresh_from_db()
    assert mailing.state == "paused"
    assert Epoch.objects.get().doubt == ""


def test_a_moved_database_goes_on(administrator, mailing):
    Epoch.objects.update(doubt="moved")
    assert "Mails leave again" in administrator.post(f"{SENDING}go-on/", follow=True).content.decode()
    mailing.refresh_from_db()
    assert mailing.state == "active"
    again = administrator.post(f"{SENDING}go-on/", follow=True)
    assert "Somebody else has confirmed it" in again.content.decode()


@pytest.mark.parametrize("verb", ["confirm", "go-on"])
def test_only_who_may_change_it_decides(signed_in, mailing, verb):
    Epoch.objects.update(doubt="behind")
    looker = signed_in(allow(a_user(), "view_epoch"))
    assert refused(looker.post(f"{SENDING}{verb}/"))
    assert refused(signed_in(a_stranger()).post(f"{SENDING}{verb}/"))
    assert Epoch.objects.get().doubt == "behind"
    text = text_of(looker, SENDING)
    assert f"{SENDING}{verb}/" not in text
    assert "You may look, but not decide" in text


def test_the_screen_shows_workers_accounts_and_queues(administrator, mailing):
    run = mailing.runs.get()
    first = run.deliveries.order_by("pk").first()
    run.deliveries.filter(pk=first.pk).update(
        state="accepted", account=SenderAccount.objects.get(), paced_at=clock.now()
    )
    text = text_of(administrator, SENDING)
    assert "1 waiting" in text
    assert "1 Active" in text
    assert Heartbeat.objects.get().host in text
    assert "<td>1</td>" in text


def test_what_is_wrong_stands_there_with_the_reason(administrator, mailing):
    Mailing.objects.update(state="interrupted", notice="No sender account is ready any more.")
    text = text_of(administrator, SENDING)
    assert "mails leave when they are due" not in text
    assert "No sender account is ready any more." in text
    assert reverse("massmail_mailings:inspect", args=[mailing.pk]) in text
    # Its mails still wait.
    assert "2 waiting" in text


def test_the_living_are_told_from_the_dead(administrator, mailing):
    now = clock.now()
    Heartbeat.objects.all().delete()
    for number, ago, stopped in ((1, 0, None), (2, 1, now), (3, 30, None)):
        at = now - timedelta(minutes=ago)
        for kind in ("tick", "worker"):
            Heartbeat.objects.create(
                kind=kind, host="h", process=number, started_at=at, last_seen=at, stopped_at=stopped
            )
    processes = administrator.get(SENDING).context["processes"]
    # One line for each, whatever it does.
    assert [(one.number, one.status, one.what) for one in processes] == [
        (1, "alive", "massmail_worker"),
        (2, "stopped", "massmail_worker"),
        (3, "ended, or does not answer", "massmail_worker"),
    ]
    assert "within a minute" in text_of(administrator, SENDING)


def test_a_worker_that_was_just_stopped_is_missed_at_once(administrator, mailing):
    heartbeats.stopped()
    assert "The last worker has just been stopped. Mails wait." in text_of(
        administrator, reverse("wagtailadmin_home")
    )
    assert "nobody is there to look" in text_of(administrator, SENDING)


def test_what_was_sent_in_the_last_hour_is_the_same_number_everywhere(administrator, mailing):
    account = SenderAccount.objects.get()
    Delivery.objects.update(account=account, paced_at=clock.now(), state="failed")
    [row] = administrator.get(SENDING).context["accounts"]
    assert row.sent_last_hour == sent_through([account.pk], clock.now())[account.pk].hour == 2


def test_a_fault_fades(administrator, mailing):
    SenderAccount.objects.update(last_fault="Connection refused", last_fault_at=clock.now())
    pages_with_it = [SENDING, reverse("massmail_accounts:index")]
    pages_with_it.append(reverse("massmail_accounts:inspect", args=[SenderAccount.objects.get().pk]))
    for url in pages_with_it:
        assert "Connection refused" in text_of(administrator, url)
    SenderAccount.objects.update(last_fault_at=clock.now() - timedelta(hours=25))
    for url in pages_with_it:
        assert "Connection refused" not in text_of(administrator, url)
    SenderAccount.objects.update(state="faulty")
    for url in pages_with_it:
        assert "Connection refused" in text_of(administrator, url)


def test_many_rows_need_no_more_queries(administrator, mailing):
    count = Counting(administrator)
    few = count(SENDING)
    for number in range(5):
        an_account(owner=a_user(), name=f"Account {number}")
        Heartbeat.objects.create(
            kind="worker", host="h", process=number, started_at=clock.now(), last_seen=clock.now()
        )
    assert count(SENDING) == few
