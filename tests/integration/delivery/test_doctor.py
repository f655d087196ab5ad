"""The doctor: a line for each question, a remedy for whatever is wrong, a status for monitoring."""

import fcntl
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Schedule

from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.doctor import examine as examining
from massmail_plugin.delivery.doctor.findings import Level
from massmail_plugin.delivery.keeping.local_folder import database_key, local_folder
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.models import Epoch, Heartbeat
from massmail_plugin.delivery.running import heartbeats
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.models import SenderAccount
from tests.builders import a_mailing, an_account, contacts, start_now


@pytest.fixture(autouse=True)
def _a_public_site(settings, tmp_path):
    site = {"BASE_URL": "https://www.customers.example", "JOURNAL_DIR": str(tmp_path / "journal")}
    settings.MASSMAIL = {**settings.MASSMAIL, **site}


@pytest.fixture
def healthy(smtp_server):
    """A site on which mail flows."""
    account = an_account(smtp_server)
    run_tick()
    Schedule.objects.update(next_run=timezone.now())
    return account


def findings(**options):
    return list(examining.examine(**options))


def troubles(about):
    """Return level and remedy of what is wrong there."""
    return [
        (found.level, found.remedy)
        for found in findings()
        if found.about == about and found.level >= Level.WARNING
    ]


def one_problem(about):
    """Return the remedy of the one problem there."""
    [(level, remedy)] = troubles(about)
    assert level is Level.PROBLEM
    return remedy


def test_a_healthy_site(healthy, capsys):
    call_command("massmail_doctor")
    said = capsys.readouterr().out
    assert said.endswith("Mail can flow.\n")
    assert "PROBLEM" not in said
    assert all(len(line) < 160 for line in said.splitlines())


def test_whatever_is_wrong_has_a_remedy_and_ends_with_a_status(capsys):
    with pytest.raises(SystemExit) as left:
        call_command("massmail_doctor")
    assert left.value.code == 1
    assert "Mail cannot flow" in capsys.readouterr().out
    assert all(found.remedy for found in findings() if found.level >= Level.WARNING)


def test_for_monitoring(healthy, capsys):
    call_command("massmail_doctor", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["mail_can_flow"] is True
    assert {"about", "says", "level", "remedy"} == set(report["findings"][0])


def test_a_cluster_that_has_frozen_is_noticed_after_two_minutes(healthy):
    """F20: its processes live, and nothing happens."""
    before = clock.now() - timedelta(seconds=121)
    Heartbeat.objects.update(last_seen=before, started_at=before)
    assert "restart it" in one_problem("ticks")


def test_a_cluster_whose_workers_all_wait_for_a_slow_server_is_not_called_frozen(healthy):
    before = clock.now() - timedelta(minutes=5)
    Heartbeat.objects.update(last_seen=before, started_at=before)
    pulse = heartbeats.Pulse(Heartbeat.Kind.CLUSTER)
    assert pulse() is False
    [(level, remedy)] = troubles("ticks")
    assert (level, "workers" in remedy) == (Level.WARNING, True)


def test_a_worker_that_was_stopped_is_a_problem_at_once(healthy, settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "RUNNER": "worker"}
    heartbeats.stopped()
    assert "massmail_worker" in one_problem("ticks")


def test_a_worker_without_a_cluster_is_not_told_to_change_the_cluster(healthy, settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "RUNNER": "worker"}
    Heartbeat.objects.update(last_seen=clock.now() - timedelta(minutes=5))
    heartbeats.beat(Heartbeat.Kind.WORKER)
    [(level, remedy)] = troubles("ticks")
    assert (level, "Q_CLUSTER" in remedy) == (Level.WARNING, False)


def test_one_is_not_many(healthy, capsys):
    run = start_now(a_mailing(to=contacts(1)))
    run.deliveries.update(state="in_doubt")
    Mailing.objects.update(state="interrupted")
    call_command("massmail_doctor")
    said = capsys.readouterr().out
    assert "1 mail of 1 mailing may or may not have left" in said
    assert "interrupted: 1 mailing " in said


def test_without_a_cluster_the_remedy_is_another_one(healthy, settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "RUNNER": "worker"}
    Heartbeat.objects.all().delete()
    assert "massmail_worker" in one_problem("ticks")
    assert not [found for found in findings() if found.about in ("schedule", "broker")]


@pytest.mark.parametrize(
    ("spoil", "level"),
    [
        (lambda: Schedule.objects.all().delete(), Level.PROBLEM),
        (lambda: Schedule.objects.update(next_run=timezone.now() - timedelta(hours=1)), Level.PROBLEM),
        (lambda: Schedule.objects.update(cluster="other"), Level.WARNING),
        (lambda: Schedule.objects.create(name="massmail_tick", func="x"), Level.WARNING),
    ],
    ids=["missing", "overdue", "of another cluster", "doubled"],
)
def test_the_schedule(healthy, spoil, level):
    spoil()
    assert [found for found, _remedy in troubles("schedule")] == [level]


def test_a_broker_that_is_away(healthy, monkeypatch):
    def away(name):
        raise ConnectionError("no broker")

    monkeypatch.setattr("django_q.brokers.get_broker", away)
    one_problem("broker")


def test_migrations_come_first(healthy, monkeypatch):
    from django.db.migrations.executor import MigrationExecutor

    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [1, 2])
    found = findings()
    assert found[-1].remedy == "run: manage.py migrate"
    assert len(found) == 2


@pytest.mark.parametrize(
    ("url", "level"),
    [
        ("www.example.com", Level.PROBLEM),
        ("http://127.0.0.1:8000", Level.WARNING),
        ("https://crm", Level.WARNING),
        ("https://10.1.2.3", Level.WARNING),
        ("http://www.example.com", Level.WARNING),
        ("https://www.example.com", Level.OK),
    ],
)
def test_the_public_address(healthy, settings, url, level):
    settings.MASSMAIL = {**settings.MASSMAIL, "BASE_URL": url}
    assert [found.level for found in findings() if found.about == "public address"] == [level]


def test_no_public_address_at_all(healthy, settings):
    settings.MASSMAIL = {**settings.MASSMAIL, "BASE_URL": ""}
    settings.WAGTAILADMIN_BASE_URL = ""
    one_problem("public address")


def test_complaints_of_the_system_checks_are_findings(healthy, settings):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "retry": 60}
    [(level, remedy)] = troubles("settings")
    assert level is Level.WARNING
    assert "2160" in remedy


def test_accounts(healthy):
    SenderAccount.objects.update(state=SenderAccount.State.FAULTY, last_fault="535 wrong password")
    assert [level for level, _remedy in troubles("accounts")] == [Level.PROBLEM, Level.WARNING]
    SenderAccount.objects.all().delete()
    assert "make a sender account" in one_problem("accounts")


def test_passwords_that_nobody_can_read_any_more(healthy, settings):
    SenderAccount.objects.update(password=Secret.of("open sesame"))
    settings.MASSMAIL = {**settings.MASSMAIL, "SECRET_KEYS": ["another key"]}
    assert "SECRET_KEYS" in one_problem("secrets")
    assert "sesame" not in " ".join(map(str, findings()))


def test_it_connects_only_when_asked_to(healthy, smtp_server):
    findings()
    assert smtp_server.connections == 0
    assert [found.level for found in findings(connect=True) if found.about == "connection"] == [Level.OK]
    smtp_server.hang_up("EHLO")
    assert Level.PROBLEM in {found.level for found in findings(connect=True) if found.about == "connection"}


def test_the_epoch(healthy):
    Epoch.objects.update(doubt="behind")
    assert "massmail_confirm --pause" in one_problem("epoch")


def test_a_journal_that_cannot_be_written(healthy, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path / "file")}
    assert "JOURNAL_DIR" in one_problem("journal")


def test_journals_that_nobody_has_read(healthy):
    """Of a worker that has died; and one that is no journal at all."""
    said = [found for found in findings() if found.about == "journal"]
    assert [found.level for found in said] == [Level.OK]
    folder, key = local_folder(), database_key()
    (folder / f"journal-{key}-dead").write_bytes(b"")
    (folder / f"broken-journal-{key}-x").write_bytes(b"")
    with (folder / f"journal-{key}-alive").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = [found for found in findings() if found.about == "journal"]
    assert [(found.level, found.says[:2]) for found in said] == [(Level.WARNING, "1 "), (Level.NOTE, "1 ")]


def test_mails_that_wait_for_somebody(healthy):
    run = start_now(a_mailing(to=contacts(3)))
    late = a_mailing(to=contacts(1, domain="others.example"))
    actions.release(late)
    long_ago = clock.now() - timedelta(hours=1)
    Mailing.objects.filter(pk=late.pk).update(start_at=long_ago)
    first, second, _third = run.deliveries.order_by("pk")
    run.deliveries.filter(pk=first.pk).update(state="in_doubt")
    run.deliveries.filter(pk=second.pk).update(state="claimed", lease_until=long_ago)
    assert [level for level, _remedy in troubles("in doubt")] == [Level.WARNING]
    one_problem("leases")
    one_problem("starts")


def test_a_question_that_fails_is_a_finding_and_the_others_are_asked(healthy, monkeypatch):
    def broken():
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(examining, "_ALL", (broken, *examining._ALL))
    assert "report it" in one_problem("broken")
    assert len(findings()) > 10


def test_old_signs_of_life_are_forgotten_and_the_newest_of_each_kind_is_kept(healthy):
    long_ago = clock.now() - timedelta(days=2)
    for process in range(3):
        Heartbeat.objects.create(
            kind="cluster",
            host="gone",
            process=process,
            started_at=long_ago,
            last_seen=long_ago + timedelta(seconds=process),
        )
    heartbeats.prune()
    assert list(Heartbeat.objects.filter(kind="cluster").values_list("process", flat=True)) == [2]
    assert Heartbeat.objects.filter(kind="tick").count() == 1
