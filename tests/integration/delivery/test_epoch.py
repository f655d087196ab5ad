"""A database that has gone back in time, or was copied, sends nothing until a person has said what to do."""

import datetime as dt
import json
import os

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from massmail_plugin.delivery.keeping import epoch, places
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.models import Epoch
from massmail_plugin.delivery.running.foreground import Foreground
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import MailingState
from tests.builders import a_mailing, an_account, an_administrator, contacts, start_now


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path / "this machine")}


@pytest.fixture
def another_machine(settings, tmp_path):
    """Return a function that makes this process believe that it runs on another machine, with its own files."""

    def go_to(name):
        settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path / name)}

    return go_to


@pytest.fixture
def mailing(smtp_server):
    """A mailing under way: two mails wait."""
    an_account(smtp_server)
    return start_now(a_mailing(to=contacts(2))).mailing


def work():
    Foreground(threads=1).run_once(60)


def backup():
    return Epoch.objects.values().get()


def restore(kept):
    """Bring the epoch back to what it was, as a restored backup does."""
    Epoch.objects.update(**kept)


def doubt():
    doubtful = epoch.doubt()
    return doubtful.doubt if doubtful else ""


def test_in_everyday_life_it_lets_everything_pass(smtp_server, mailing):
    work()
    mailing.refresh_from_db()
    assert (mailing.state, len(smtp_server.mails), doubt()) == (MailingState.DONE, 2, "")
    assert epoch.read_note().mark == Epoch.objects.get().mark > 0


def test_a_restored_backup_sends_nothing(smtp_server, mailing):
    """F34"""
    assert epoch.may_send()
    yesterday = backup()
    assert epoch.may_send()
    restore(yesterday)
    waiting = a_mailing(to=contacts(1, domain="others.example"))
    actions.release(waiting)
    work()
    waiting.refresh_from_db()
    assert (doubt(), smtp_server.mails, waiting.state) == ("behind", [], MailingState.PENDING)
    # It stays so, also for workers that know of nothing.
    work()
    assert not smtp_server.mails


def test_administrators_are_told_once(mailing):
    an_administrator()
    epoch.may_send()
    yesterday = backup()
    epoch.may_send()
    restore(yesterday)
    for _try in range(3):
        run_tick()
    [message] = mail.outbox
    assert message.to == ["root@sandbox.example"]
    assert "gone back in time" in message.body
    assert "/admin/massmail/sending/" in message.body


def test_the_worker_itself_refuses(smtp_server, mailing):
    from massmail_plugin.delivery.turns.worker import drain
    from massmail_plugin.models import SenderAccount

    Epoch.objects.create(doubt="behind")
    assert drain(SenderAccount.objects.get().pk).handled == 0
    assert not smtp_server.mails


def test_other_machines_hear_of_it_from_the_database(another_machine, mailing):
    epoch.may_send()
    yesterday = backup()
    epoch.may_send()
    restore(yesterday)
    assert not epoch.may_send()
    another_machine("new")
    assert not epoch.may_send()


def test_a_copy_in_another_place_sends_nothing(smtp_server, mailing, monkeypatch):
    """F35: a copy of the database for tests, with its own settings and its own machine."""
    epoch.may_send()
    monkeypatch.setattr(places, "place", lambda: "another server")
    work()
    assert (doubt(), smtp_server.mails) == ("moved", [])


def test_another_sites_data_in_our_place_sends_nothing(mailing):
    epoch.may_send()
    Epoch.objects.update(instance="6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    assert not epoch.may_send()
    assert doubt() == "replaced"


def test_after_a_restore_each_mailing_waits_for_a_decision(smtp_server, mailing):
    waiting = a_mailing(to=contacts(1, domain="others.example"))
    actions.release(waiting)
    Epoch.objects.create(doubt="behind", mark=7)
    assert epoch.confirm(pause=True) == 2
    states = dict(Mailing.objects.values_list("pk", "state"))
    assert states == {mailing.pk: MailingState.PAUSED, waiting.pk: MailingState.INTERRUPTED}
    work()
    assert not smtp_server.mails
    for held in Mailing.objects.all():
        assert "Cancel" in held.notice
        actions.resume(held)
    work()
    assert len(smtp_server.mails) == 3


def test_a_database_that_was_only_moved_goes_on(smtp_server, mailing, monkeypatch):
    epoch.may_send()
    monkeypatch.setattr(places, "place", lambda: "the new server")
    assert not epoch.may_send()
    assert epoch.confirm(pause=False) == 0
    work()
    assert len(smtp_server.mails) == 2


def test_what_was_confirmed_holds_for_machines_whose_files_know_more(another_machine, mailing):
    epoch.may_send()
    yesterday = backup()
    another_machine("b")
    for _count in range(5):
        epoch.may_send()
    another_machine("a")
    epoch.may_send()
    restore(yesterday)
    assert not epoch.may_send()
    epoch.confirm(pause=True)
    assert epoch.may_send()
    another_machine("b")
    assert epoch.may_send()


def test_a_file_written_by_a_clock_that_was_ahead_excuses_nothing_later(mailing, monkeypatch):
    """What was confirmed holds for what was known then, whatever time it was said to be."""
    with monkeypatch.context() as ahead:
        ahead.setattr(clock, "now", lambda: dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
        epoch.may_send()
        yesterday = backup()
        epoch.may_send()
        restore(yesterday)
        assert not epoch.may_send()
        epoch.confirm(pause=False)
        assert epoch.may_send()
    today = backup()
    assert epoch.may_send()
    restore(today)
    assert not epoch.may_send()
    assert doubt() == "behind"


def test_a_backup_from_before_a_confirmation_is_behind_and_can_be_confirmed_too(another_machine, mailing):
    epoch.may_send()
    yesterday = backup()
    Epoch.objects.update(doubt="moved")
    epoch.confirm(pause=False)
    epoch.may_send()
    restore({**yesterday, "mark": 1000})
    assert not epoch.may_send()
    assert doubt() == "behind"
    epoch.confirm(pause=False)
    assert epoch.may_send()


def test_a_database_that_took_anothers_place_is_asked_about_once_on_all_machines(another_machine, mailing):
    for name in ("a", "b"):
        another_machine(name)
        assert epoch.may_send()
    Epoch.objects.update(instance="6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    assert not epoch.may_send()
    epoch.confirm(pause=False)
    for name in ("a", "b", "a"):
        another_machine(name)
        assert epoch.may_send()


def test_with_no_mailing_under_way_nobody_is_asked():
    epoch.may_send()
    yesterday = backup()
    epoch.may_send()
    restore(yesterday)
    assert epoch.may_send()
    assert epoch.may_send()


@pytest.mark.parametrize("spoil", [os.remove, lambda path: path.write_text("{")], ids=["gone", "broken"])
def test_a_machine_without_its_file_believes_the_database(spoil, mailing):
    """Containers lose theirs at each deployment."""
    epoch.may_send()
    spoil(epoch.note_path())
    assert epoch.may_send()
    assert epoch.read_note().mark == Epoch.objects.get().mark


def test_machines_that_share_a_database_do_not_disturb_each_other(another_machine, mailing):
    for name in ("a", "b", "b", "a", "c", "a", "b"):
        another_machine(name)
        assert epoch.may_send()


def test_a_file_may_be_older_than_the_database_and_a_new_database_than_its_file(mailing):
    epoch.may_send()
    kept = epoch.note_path().read_text()
    epoch.may_send()
    epoch.note_path().write_text(kept)
    assert epoch.may_send()
    # Made anew: nothing in it was ever sent.
    Epoch.objects.all().delete()
    assert epoch.may_send()
    assert json.loads(epoch.note_path().read_text())["instance"] == str(Epoch.objects.get().instance)


def test_two_workers_that_meet_a_new_database_at_once_both_believe_it(mailing, monkeypatch):
    """The file of the database before it must not be held against a mark that another worker has just made."""
    epoch.may_send()
    Epoch.objects.all().delete()
    old_note, read_note = epoch.read_note(), epoch.read_note
    assert epoch.may_send()
    # The second one has read the file before the first one wrote it.
    monkeypatch.setattr(epoch, "read_note", lambda: old_note)
    assert epoch.may_send()
    monkeypatch.setattr(epoch, "read_note", read_note)
    assert (doubt(), epoch.read_note().mark) == ("", 2)


def test_a_slow_worker_does_not_write_an_older_mark_over_a_newer_one(mailing):
    epoch.may_send()
    slow = Epoch.objects.get()
    epoch.may_send()
    epoch._keep(slow)
    assert epoch.read_note().mark == Epoch.objects.get().mark == slow.mark + 1


def test_a_folder_that_cannot_be_written_stops_nothing_by_itself(settings, tmp_path, mailing, caplog):
    (tmp_path / "file").write_text("")
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path / "file")}
    assert epoch.may_send()
    assert "could not be kept" in caplog.text


def test_a_database_knows_its_place():
    assert places.place() == places.place() != ""


def test_the_command_confirms_once(mailing, capsys):
    run_tick()
    with pytest.raises(CommandError, match="nothing to confirm"):
        call_command("massmail_confirm", "--pause")
    Epoch.objects.update(doubt="moved")
    call_command("massmail_confirm", "--pause")
    assert "there wait: 1 mailing." in capsys.readouterr().out
    mailing.refresh_from_db()
    assert mailing.state == MailingState.PAUSED
