"""Any Django or Anymail backend is a way out too."""

import json
import threading

import pytest
from anymail.message import AnymailStatus
from django.core import mail

from massmail_plugin.accounts.connections import build_backend
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.transports.base import Outcome, Transport, Verdict
from massmail_plugin.delivery.turns import senders, turn
from massmail_plugin.delivery.turns.switchboard import Switchboard
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.states import DeliveryState
from tests.builders import a_mailing, an_account, contacts, start_now

KIND = SenderAccount.Kind.BACKEND


def _drained(backend, options=None, people=1):
    account = an_account(kind=KIND, backend=backend, backend_options=Secret.of(json.dumps(options or {})))
    run = start_now(a_mailing(to=contacts(people)))
    drain(account.pk)
    account.refresh_from_db()
    return run, account


def test_a_django_backend_sends_each_mail_once():
    run, _account = _drained("django.core.mail.backends.locmem.EmailBackend", people=3)
    assert sorted(message.to[0].split("<")[1] for message in mail.outbox) == [
        f"person{n}@customers.example>" for n in (1, 2, 3)
    ]
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.ACCEPTED}


def test_an_anymail_backend_gets_the_delivery_as_metadata_and_gives_its_own_id():
    run, _account = _drained("anymail.backends.test.EmailBackend")
    delivery = run.deliveries.get()
    assert mail.outbox[0].anymail_test_params["metadata"] == {"massmail_delivery": str(delivery.pk)}
    assert not mail.outbox[0].anymail_test_params["is_batch_send"]
    assert delivery.provider_id


def test_a_provider_that_refuses_one_recipient_fails_that_one(monkeypatch):
    from anymail.backends.test import EmailBackend
    from anymail.message import AnymailRecipientStatus

    def parse(self, response, payload, message):
        refused = "person2@" in message.to[0]
        status = AnymailRecipientStatus(None if refused else "id-1", "rejected" if refused else "sent")
        return {payload.recipient_emails[0]: status}

    monkeypatch.setattr(EmailBackend, "parse_recipient_status", parse)
    run, _account = _drained("anymail.backends.test.EmailBackend", people=3)
    states = dict(run.deliveries.values_list("email", "state"))
    assert states.pop("person2@customers.example") == DeliveryState.FAILED
    assert set(states.values()) == {DeliveryState.ACCEPTED}


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("nowhere.Backend", "no e-mail backend"),
        ("django.core.mail.EmailMessage", "not an e-mail backend"),
        ("anymail.backends.mailgun.EmailBackend", "MAILGUN_API_KEY"),
    ],
)
def test_a_backend_that_cannot_be_built_stops_the_account_and_says_why(backend, words):
    run, account = _drained(backend, people=3)
    assert account.state == SenderAccount.State.FAULTY
    assert words in account.last_fault
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.QUEUED}


def test_an_error_that_proves_nothing_leaves_one_doubt(monkeypatch):
    from django.core.mail.backends.locmem import EmailBackend

    def breaks(self, messages):
        raise RuntimeError("who knows")

    monkeypatch.setattr(EmailBackend, "send_messages", breaks)
    run, _account = _drained("django.core.mail.backends.locmem.EmailBackend")
    assert run.deliveries.get().state == DeliveryState.IN_DOUBT


def test_the_status_type_is_anymails_own():
    assert AnymailStatus().recipients == {}


class Hanging(Transport):
    """Blocks at one place until the test is over."""

    def __init__(self, place):
        self._place, self.reached, self.over = place, threading.Event(), threading.Event()
        self.allowed = None

    def _pass(self, place):
        if place == self._place:
            self.reached.set()
            self.over.wait(60)

    def open(self):
        self._pass("open")

    def deliver(self, mail, fence):
        self._pass("before the fence")
        self.allowed = fence()
        if self.allowed:
            self._pass("past the fence")
        return Outcome(Verdict.ACCEPTED if self.allowed else Verdict.FENCED)

    def close(self):
        pass


@pytest.mark.parametrize(
    ("place", "state"),
    [
        ("open", DeliveryState.QUEUED),
        ("before the fence", DeliveryState.QUEUED),
        ("past the fence", DeliveryState.IN_DOUBT),
    ],
)
def test_a_backend_that_never_comes_back_is_waited_for_no_more(monkeypatch, place, state):
    hanging, remind = Hanging(place), Switchboard._remind

    def time_is_over(board):
        if hanging.reached.is_set():
            board._reminders = {who: (0.0, do) for who, (_at, do) in board._reminders.items()}
        remind(board)

    monkeypatch.setattr(senders, "transport_for", lambda account, desk: hanging)
    monkeypatch.setattr(Switchboard, "_remind", time_is_over)
    monkeypatch.setattr(turn, "_LOOK_UP_SECONDS", 0.01)
    account = an_account(connections=1)
    run = start_now(a_mailing(to=contacts(1)))
    drained = drain(account.pk)
    hanging.over.set()
    delivery = run.deliveries.get()
    assert (delivery.state, "did not answer" in drained.stopped) == (state, True)
    assert bool(hanging.allowed) == (state == DeliveryState.IN_DOUBT)
    assert delivery.attempts == (1 if state == DeliveryState.IN_DOUBT else 0)


@pytest.mark.parametrize(("chosen", "seconds"), [(None, 600), (7, 7)])
def test_djangos_own_smtp_backend_waits_no_longer_than_our_driver(settings, chosen, seconds):
    settings.EMAIL_TIMEOUT = chosen
    account = an_account(kind=KIND, backend="django.core.mail.backends.smtp.EmailBackend")
    assert build_backend(account).timeout == seconds
