"""A backup is restored, or a copy is started, while a mailing is under way: nobody gets a second mail."""

import subprocess

import pytest
from django.db import connection

from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import MailingState
from tests import builders
from tests.acceptance.backups import Clone, back_up, restore
from tests.processes import MANAGE, REPOSITORY, sandbox_environment

pytestmark = pytest.mark.django_db(transaction=True)


def run_command(*arguments, **variables):
    """Run a command of ours to its end; return its status and what it said."""
    environment = sandbox_environment(**variables)
    done = subprocess.run(
        [*MANAGE, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout


@pytest.fixture
def mailing(smtp_server):
    """A mailing to four people, of whom two have had their mail."""
    builders.an_account(smtp_server)
    run = builders.start_now(builders.a_mailing(to=builders.contacts(4)))
    waiting = run.deliveries.filter(envelope__in=["person3@customers.example", "person4@customers.example"])
    waiting.update(state="deferred", next_attempt_at="2099-01-01T00:00:00Z")
    assert run_command("massmail_tick")[0] == 0
    waiting.update(state="queued", next_attempt_at=None)
    assert sorted(smtp_server.recipients) == ["person1@customers.example", "person2@customers.example"]
    return run.mailing


def test_after_a_restored_backup_nothing_leaves_until_somebody_has_decided(smtp_server, mailing, tmp_path):
    """F34"""
    backup = back_up(tmp_path)
    assert run_command("massmail_tick")[0] == 0
    assert len(smtp_server.mails) == 4

    restore(backup)
    for _try in range(2):
        status, said = run_command("massmail_tick")
        assert "0 mails handled" in said
    assert len(smtp_server.mails) == 4
    status, said = run_command("massmail_doctor")
    assert status == 1
    assert "gone back in time" in said

    status, said = run_command("massmail_confirm", "--pause")
    assert "there wait: 1 mailing." in said
    assert "0 mails handled" in run_command("massmail_tick")[1]
    mailing.refresh_from_db()
    assert mailing.state == MailingState.PAUSED
    assert len(smtp_server.mails) == 4


def test_a_copy_sends_nothing_and_the_original_goes_on(smtp_server, mailing, tmp_path):
    """F35: with settings and a folder of its own."""
    folder = {"MASSMAIL_SANDBOX_VAR": str(tmp_path)}
    with Clone(tmp_path) as clone:
        assert "0 mails handled" in run_command("massmail_tick", **folder, **clone.environment)[1]
        said = run_command("massmail_doctor", **folder, **clone.environment)[1]
        assert "stands in another place" in said
    connection.close()
    assert len(smtp_server.mails) == 2

    run_command("massmail_tick")
    assert sorted(smtp_server.recipients) == [f"person{n}@customers.example" for n in range(1, 5)]
    assert Mailing.objects.get().state == MailingState.DONE
