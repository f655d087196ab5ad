"""A host's own code that fails for one record stops no other mailing, and says so to people."""

import pytest
from django.db import OperationalError
from django.urls import reverse

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions, people, preflight
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import MailingState
from massmail_plugin.mailings.verbs import Refused
from tests.builders import a_mailing, a_user, an_account, contacts, start_now

# Each step is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broken(monkeypatch, django_user_model):
    """A draft to users, one of whom has no name that the host's code can tell."""

    def full_name(user):
        if user.username == "nameless":
            raise LookupError("a secret of the host")
        return user.username

    monkeypatch.setattr(django_user_model, "get_full_name", full_name)
    an_account()
    return a_mailing(to=[a_user("named"), a_user("nameless")])


def _one_step(mailing, monkeypatch):
    """Look at it as somebody whom the counting outlasts."""
    with monkeypatch.context() as impatient:
        steps = iter([False, True])
        work_out = people.work_out_people
        impatient.setattr(
            people, "work_out_people", lambda *args, **kwargs: work_out(*args[:2], stop=lambda: next(steps))
        )
        assert not people.count_people(mailing).is_complete


def test_a_broken_record_in_a_draft_does_not_stop_the_tick(broken, monkeypatch):
    running = start_now(a_mailing(to=contacts(1))).mailing
    _one_step(broken, monkeypatch)

    assert run_tick() == [SenderAccount.objects.get().pk]

    running.deliveries = running.runs.get().deliveries.update(state="accepted")
    run_tick()
    assert Mailing.objects.get(pk=running.pk).state == MailingState.DONE
    # It is not tried anew in each tick.
    assert Audience.objects.get(subject=people.subject(broken)).fault == "LookupError"
    assert people.go_on_counting(lambda: False) is False


def test_a_broken_record_is_a_finding_that_says_what_to_do(broken):
    [problem] = preflight.check(broken).problems

    assert "LookupError" in problem
    assert "administrator" in problem
    assert "secret" not in problem
    with pytest.raises(Refused, match="cannot be counted"):
        actions.release(broken)


def test_the_screens_say_so_and_count_again_once_it_is_mended(broken, admin_client, monkeypatch):
    screens = [reverse(f"massmail_mailings:{name}", args=[broken.pk]) for name in ("people", "send")]
    for url in screens:
        page = admin_client.get(url)
        assert "cannot be counted" in page.content.decode()
        assert "Refresh" not in page
    monkeypatch.undo()
    admin_client.post(screens[0])

    assert "cannot be counted" not in admin_client.get(screens[1]).content.decode()
    assert people.count_people(broken).counts == {"": 2}


def test_a_busy_database_only_delays_the_counting_of_one(broken, monkeypatch, caplog):
    other = a_mailing(to=contacts(1))
    for mailing in (broken, other):
        _one_step(mailing, monkeypatch)
    work_out = people.work_out_people

    def busy(mailing, *args):
        if mailing == broken:
            raise OperationalError("canceling statement due to statement timeout")
        return work_out(mailing, *args)

    monkeypatch.setattr(people, "work_out_people", busy)
    run_tick()

    assert "could not be counted further yet" in caplog.text
    assert people.count_people(other).is_complete
    assert Audience.objects.get(subject=people.subject(broken)).fault == ""
