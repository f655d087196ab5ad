"""F50, F53, F57, F58: mail servers that answer late, complain, die, or send a mail back after they took it."""

from base64 import b64encode
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import F
from django.urls import reverse

from massmail_plugin.delivery.ledger import clock
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.invariants import check
from tests.acceptance.faults.sink import Sink
from tests.acceptance.faults.workers import Workers
from tests.processes import free_port, wait_until

UNLUCKY = "person3@customers.example"


def row(run, email=UNLUCKY):
    return Delivery.objects.get(run=run, email=email)


def test_f50_a_mail_whose_answer_takes_longer_than_a_lease_stays_its_worker_s(workers, sink):
    """The server takes nine minutes, as RFC 5321 allows; here the lease is short instead."""
    people = 6
    own, others = builders.an_account(sink, owner=builders.a_user()), builders.an_account(sink)
    contacts = builders.contacts(people)
    run = builders.start_now(builders.a_mailing(to=contacts, through=own))
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = workers.start("turn", account=own.pk, massmail={"LEASE_SECONDS": 6})
        held.wait_until_reached()
        lease = row(run).lease_until
        wait_until(lambda: clock.now() > lease, "the lease that it began with has ended")
        quick = builders.start_now(builders.a_mailing(to=contacts))
        workers.start("tick").done()
        workers.start("turn", account=others.pk).done()
        assert set(builders.states_by_address(quick).values()) == {DeliveryState.ACCEPTED}
        assert row(run).state == DeliveryState.HANDING
        assert row(run).lease_until > lease
        held.release()
        worker.done()
    workers.one_pass()

    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert Counter(sink.recipients) == {contact.email: 2 for contact in contacts}


def server_says_next(account, minutes):
    """As if the server's wait had ended so many minutes ago, and what has left since had left before."""
    now = clock.now()
    type(account).objects.filter(pk=account.pk).update(resume_at=now - timedelta(minutes=minutes))
    Delivery.objects.exclude(paced_at=None).update(paced_at=F("paced_at") - timedelta(minutes=2))
    Delivery.objects.filter(state=DeliveryState.DEFERRED).update(next_attempt_at=now)


def test_f53_a_server_that_is_asked_too_much_gets_half_and_then_bit_by_bit_all(workers, sink):
    people, refused = 60, "person21@customers.example"
    account = builders.an_account(sink, connections=1)
    run = builders.start_now(builders.a_mailing(to=builders.contacts(people)))
    sink.answer("RCPT", "421 4.7.28 Too many mails from you", when=refused, times=2)
    workers.one_pass()
    account.refresh_from_db()
    assert len(sink.mails) == 20
    assert account.slow_per_minute == 10
    assert account.resume_at > clock.now()

    # Nothing leaves while it waits; then half of it in a minute, then twice that.
    workers.one_pass()
    assert len(sink.mails) == 20
    server_says_next(account, minutes=0)
    workers.one_pass(massmail={"SLICE_SECONDS": 1})
    assert len(sink.mails) == 30
    server_says_next(account, minutes=10)
    workers.one_pass(massmail={"SLICE_SECONDS": 1})
    assert len(sink.mails) == 50
    server_says_next(account, minutes=90)
    workers.one_pass()

    check(run, sink, people=people, logs=workers.said())
    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert row(run, refused).attempts == 1
    assert not DeliveryEvent.objects.exists()


@pytest.fixture
def servers(zygote, tmp_path):
    """Processes that are mail servers; apart from the workers, whose leases must not end while they live."""
    (tmp_path / "servers").mkdir()
    servers = Workers(zygote, tmp_path / "servers")
    yield servers
    servers.end()
    print(servers.said())


class BothServers:
    """What the server had on its disk when it was killed, and what the one after it has."""

    def __init__(self, *folders):
        self._folders = folders

    def copies(self):
        return [copy for folder in self._folders for copy in Sink(folder=folder).copies()]


def test_f57_a_mail_server_that_is_killed_leaves_no_more_doubts_than_it_had_connections(
    workers, servers, go_on, tmp_path
):
    people, connections = 40, 4
    before, after, port = tmp_path / "before", tmp_path / "after", free_port()
    before.mkdir()
    after.mkdir()
    unanswered = [f"person{number}@customers.example" for number in range(11, 11 + connections)]
    builders.an_account(host="127.0.0.1", port=port, connections=connections)
    run = builders.start_now(builders.a_mailing(to=builders.contacts(people)))
    server = servers.start("mail_server", folder=str(before), port=port, keeps_waiting=unanswered)
    servers.wait_until_one_says(f"Accepting mail in {before}")
    worker = workers.start("one_pass")
    wait_until(lambda: recipients(before) >= set(unanswered), "all connections wait for an answer")
    server.kill()
    worker.done()
    servers.start("mail_server", folder=str(after), port=port)
    servers.wait_until_one_says(f"Accepting mail in {after}")
    go_on(run.mailing)

    check(run, BothServers(before, after), people=people, doubts=connections, logs=workers.said())
    states = builders.states_by_address(run)
    assert {email for email, state in states.items() if state == DeliveryState.IN_DOUBT} == set(unanswered)


def recipients(folder):
    return {copy.recipient for copy in Sink(folder=folder).copies()}


def test_f58_a_mail_that_comes_back_after_it_was_taken_is_both_accepted_and_bounced(
    workers, sink, client, settings
):
    settings.ANYMAIL = {"WEBHOOK_SECRET": "webhooks:secret"}
    builders.an_account(sink)
    people = builders.contacts(3)
    run = builders.start_now(builders.a_mailing(to=people))
    workers.one_pass()
    bounce = {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "ID": 42,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Email": UNLUCKY,
        "BouncedAt": "2026-11-20T09:30:00Z",
        "Details": "smtp;550 5.1.1 user unknown",
        "Metadata": {"massmail_delivery": str(row(run).pk)},
    }
    for _time in range(3):
        address = reverse("massmail:webhook", args=["postmark"])
        answer = client.post(
            address,
            bounce,
            content_type="application/json",
            headers={"authorization": "Basic " + b64encode(b"webhooks:secret").decode()},
        )
        assert answer.status_code == 200

    check(run, sink, people=len(people), logs=workers.said())
    assert row(run).state == DeliveryState.ACCEPTED
    assert list(row(run).events.values_list("kind", flat=True)) == ["bounced_hard"]
    assert row(run).address.invalid_since
    # The next mailing leaves the address out.
    second = builders.start_now(builders.a_mailing(to=people))
    workers.one_pass()
    assert builders.states_by_address(second)[UNLUCKY] == DeliveryState.SKIPPED
    assert len(sink.mails_to(UNLUCKY)) == 1
