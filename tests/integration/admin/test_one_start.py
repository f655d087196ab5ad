"""F104: double clicks, two operators, edits after the release, Resume pressed twice: one start, one decision."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections
from django.urls import reverse
from wagtail.models import ModelLogEntry

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import DeliveryState, MailingState
from tests.builders import a_mailing, a_user, an_account, an_editor, contacts, start_now
from tests.integration.admin.conftest import allow, messages_of

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 4


def _url(name, mailing):
    return reverse(f"massmail_mailings:{name}", args=[mailing.pk])


@pytest.fixture
def operators(signed_in):
    """Two people who may send, each with two windows open."""
    users = [an_editor(), allow(a_user(), "view_mailing", "change_mailing", "send_mailing")]
    return [signed_in(user) for user in users for _window in range(AT_ONCE // 2)]


def _all_at_once(operators, press):
    gate = Barrier(len(operators))

    def act(client):
        gate.wait()
        try:
            return press(client)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(operators)) as pool:
        return list(pool.map(act, operators))


def _entries(mailing, action):
    return ModelLogEntry.objects.for_instance(mailing).filter(action=f"massmail.{action}").count()


def test_f104_send_pressed_by_two_people_twice_each_at_once_is_one_release_and_one_start(operators):
    an_account()
    mailing = a_mailing(to=contacts(5))
    answers = _all_at_once(operators, lambda client: client.post(_url("send", mailing)))
    assert {answer.status_code for answer in answers} == {302}
    assert _entries(mailing, "release") == 1
    _all_at_once(operators, lambda _client: run_tick())
    assert Run.objects.count() == 1
    assert Delivery.objects.count() == 5
    assert Mailing.objects.get().state == MailingState.ACTIVE


def test_f104_a_second_press_after_the_first_is_told_that_it_is_on_its_way(operators):
    an_account()
    mailing = a_mailing(to=contacts(1))
    first, second = operators[0], operators[-1]
    first.post(_url("send", mailing))
    answer = second.post(_url("send", mailing), follow=True)
    assert "already been sent or scheduled" in messages_of(answer)


@pytest.mark.parametrize(
    ("verb", "entry", "state", "after"),
    [
        ("pause", "pause", "active", "paused"),
        ("resume", "resume", "paused", "active"),
        ("cancel", "cancel", "active", "cancelled"),
        ("withdraw", "withdraw", "pending", "draft"),
    ],
)
def test_f104_every_button_pressed_by_several_at_once_is_one_move(operators, verb, entry, state, after):
    an_account()
    mailing = a_mailing(to=contacts(3))
    start_now(mailing)
    Mailing.objects.update(state=state)
    _all_at_once(operators, lambda client: client.post(_url(verb, mailing)))
    assert _entries(mailing, entry) == 1
    assert Mailing.objects.get().state == after


def test_f104_resume_before_the_first_mail_pressed_by_several_at_once_is_one_release(operators):
    account = an_account()
    mailing = a_mailing(to=contacts(3))
    actions.release(mailing)
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    run_tick()
    assert Mailing.objects.get().state == MailingState.INTERRUPTED
    SenderAccount.objects.filter(pk=account.pk).update(state=SenderAccount.State.READY)
    _all_at_once(operators, lambda client: client.post(_url("resume", mailing)))
    assert _entries(mailing, "release") == 2, "The first was before it was interrupted."
    _all_at_once(operators, lambda _client: run_tick())
    assert Run.objects.count() == 1


def test_f104_retry_pressed_by_several_at_once_queues_each_mail_once(operators):
    an_account()
    mailing = a_mailing(to=contacts(6))
    start_now(mailing).deliveries.update(state=DeliveryState.FAILED, attempts=3)
    _all_at_once(operators, lambda client: client.post(_url("retry", mailing)))
    assert _entries(mailing, "retry") == 1
    assert set(Delivery.objects.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}


def test_f104_who_cancels_and_who_retries_at_the_same_moment_leave_no_mail_behind(operators):
    an_account()
    mailing = a_mailing(to=contacts(6))
    start_now(mailing).deliveries.update(state=DeliveryState.FAILED, attempts=3)
    verbs = iter(["cancel", "retry", "cancel", "retry"])
    _all_at_once(operators, lambda client: client.post(_url(next(verbs), mailing)))
    assert Mailing.objects.get().state == MailingState.CANCELLED
    assert not Delivery.objects.filter(state=DeliveryState.QUEUED).exists()


def _form(mailing, **changes):
    data = {
        "name": mailing.name,
        "campaign": mailing.campaign_id,
        "template": mailing.template_id,
        "owner": mailing.owner_id or "",
        "start_at": "",
        "in_doubt": "hold",
    }
    return {**data, **changes}


def test_f104_what_was_released_cannot_be_edited_and_an_edit_after_withdrawing_needs_a_new_release(editor):
    an_account()
    mailing = a_mailing(to=contacts(2), owner=editor.user, name="As it was released")
    editor.post(_url("send", mailing))
    editor.post(_url("edit", mailing), _form(mailing, name="Changed"))
    assert Mailing.objects.get().name == "As it was released"
    editor.post(_url("withdraw", mailing))
    editor.post(_url("edit", mailing), _form(mailing, name="Changed"))
    run_tick()
    changed = Mailing.objects.get()
    assert (changed.name, changed.state) == ("Changed", MailingState.DRAFT)
    assert not Run.objects.exists()
