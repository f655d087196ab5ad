"""A run through a real mail server: everybody once, and nobody who must not get it."""

import re
from contextlib import nullcontext
from email import message_from_bytes, policy
from unittest.mock import Mock

import pytest
from django.db import OperationalError

from massmail_plugin.accounts.switches import switch_off
from massmail_plugin.delivery.ledger import claiming, fence
from massmail_plugin.delivery.mails import messages
from massmail_plugin.delivery.mails.messages import Composer, compose_delivery
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Lead
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_target_list,
    an_account,
    contacts,
    start_now,
    states_by_address,
)

LINK = How(method=ConsentEvent.Method.LINK)


def test_everybody_gets_one_mail_and_the_mailing_is_done(smtp_server):
    account = an_account(smtp_server)
    people = contacts(45)
    mailing = a_mailing(to=people)
    run = start_now(mailing)
    drain(account.pk)
    run_tick()
    mailing.refresh_from_db()
    assert sorted(smtp_server.recipients) == sorted(person.email for person in people)
    assert set(states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert mailing.state == MailingState.DONE
    assert mailing.runs.get().finished_at is not None


@pytest.mark.parametrize("connections", [1, 3])
def test_a_few_connections_serve_many_mails(smtp_server, connections):
    account = an_account(smtp_server, connections=connections)
    start_now(a_mailing(to=contacts(25)))
    drain(account.pk)
    assert {mail.connection for mail in smtp_server.mails} == set(range(1, connections + 1))


def test_the_mail_is_personal_and_carries_the_headers_of_a_mass_mail(smtp_server):
    account = an_account(smtp_server, from_name="Sales, Berlin", reply_to="nora@sandbox.example")
    run = start_now(a_mailing(to=[a_contact("ada@customers.example", first_name="Ada", last_name="Löwe")]))
    drain(account.pk)
    (mail,) = smtp_server.mails
    message = mail.message
    assert not message.defects
    assert "Hello Ada!" in mail.text
    assert "Hello Ada!" in mail.html
    assert message["From"].addresses[0].display_name == "Sales, Berlin"
    assert message["To"].addresses[0].addr_spec == "ada@customers.example"
    assert message["To"].addresses[0].display_name == "Ada Löwe"
    assert message["Reply-To"].addresses[0].addr_spec == "nora@sandbox.example"
    assert re.fullmatch(r"<https?://[^<>]+>", message["List-Unsubscribe"])
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for once in ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe"):
        assert len(message.get_all(once)) == 1
    assert message["Message-ID"].endswith("@sandbox.example>")
    assert messages.delivery_of(message["Message-ID"]) == run.deliveries.get().pk
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998


def test_a_refused_recipient_in_the_middle_stops_nobody_else(smtp_server):
    account = an_account(smtp_server)
    smtp_server.answer("RCPT", "550 5.1.1 No such mailbox", when="person7@")
    run = start_now(a_mailing(to=contacts(12)))
    drain(account.pk)
    states = states_by_address(run)
    assert states.pop("person7@customers.example") == DeliveryState.FAILED
    assert set(states.values()) == {DeliveryState.ACCEPTED}
    assert "No such mailbox" in Delivery.objects.get(email="person7@customers.example").detail


def test_a_host_property_that_raises_stops_nobody_else(smtp_server, monkeypatch):
    from sandbox.crm.massmail import ContactRecipients

    merge_values = ContactRecipients.merge_values

    def broken(self, record):
        if record.email.startswith("person2@"):
            raise RuntimeError("a bug in the host")
        return merge_values(self, record)

    monkeypatch.setattr(ContactRecipients, "merge_values", broken)
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(4)))
    drain(account.pk)
    states = states_by_address(run)
    assert states.pop("person2@customers.example") == DeliveryState.FAILED
    assert set(states.values()) == {DeliveryState.ACCEPTED}


@pytest.mark.parametrize("error", [RuntimeError("a zero\x00 byte"), OperationalError("database is locked")])
def test_what_a_host_property_raises_can_be_written_down_and_a_busy_database_fails_nobody(
    smtp_server, monkeypatch, error
):
    from sandbox.crm.massmail import ContactRecipients

    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(2)))
    busy = isinstance(error, OperationalError)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(ContactRecipients, "merge_values", Mock(side_effect=error))
        with pytest.raises(OperationalError) if busy else nullcontext():
            drain(account.pk)
    states = set(run.deliveries.values_list("state", flat=True))
    assert DeliveryState.FAILED not in states if busy else states == {DeliveryState.FAILED}
    assert "\x00" not in "".join(run.deliveries.values_list("detail", flat=True))


def test_a_recipient_type_that_cannot_be_read_holds_up_only_its_own_people(smtp_server, monkeypatch):
    from sandbox.crm.massmail import LeadRecipients

    def broken(self):
        raise RuntimeError("a bug in the host")

    account = an_account(smtp_server)
    lead = Lead.objects.create(email="lead@customers.example", first_name="Lea")
    mailing = a_mailing(campaign=a_campaign(a_target_list(lead, *contacts(2))))
    run = start_now(mailing)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(LeadRecipients, "get_queryset", broken)
        drain(account.pk)
    states = states_by_address(run)
    assert states.pop("lead@customers.example") == DeliveryState.DEFERRED
    assert set(states.values()) == {DeliveryState.ACCEPTED}
    run.deliveries.update(next_attempt_at=run.started_at)
    drain(account.pk)
    assert set(states_by_address(run).values()) == {DeliveryState.ACCEPTED}


def test_an_account_deleted_during_its_turn_ends_the_turn_and_others_go_on(smtp_server, monkeypatch):
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(3)))
    commit = fence.commit_to_send

    def deleted_before_the_second(deliveries, known):
        if smtp_server.mails:
            account.__class__.objects.filter(pk=account.pk).delete()
        return commit(deliveries, known)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(fence, "commit_to_send", deleted_before_the_second)
        assert "deleted" in drain(account.pk).stopped
    assert len(smtp_server.mails) == 1
    assert run.deliveries.filter(state=DeliveryState.QUEUED).count() == 2
    drain(an_account(smtp_server).pk)
    assert len(set(smtp_server.recipients)) == 3


def test_switching_the_account_off_works_before_the_next_mail(smtp_server, monkeypatch):
    passes = fence.commit_to_send

    def switched_off_before_the_third(deliveries, known):
        if any(delivery.email.startswith("person3@") for delivery in deliveries):
            switch_off(account)
        return passes(deliveries, known)

    monkeypatch.setattr(fence, "commit_to_send", switched_off_before_the_third)
    account = an_account(smtp_server, connections=1)
    run = start_now(a_mailing(to=contacts(5)))
    assert drain(account.pk).stopped
    assert smtp_server.recipients == ["person1@customers.example", "person2@customers.example"]
    assert run.deliveries.filter(state=DeliveryState.QUEUED, attempts=0).count() == 3


@pytest.mark.parametrize("name", ["a\x0bBcc: x@y.example", "b\r\nBcc: x@y.example", "c\x1dd", "e\u2028f"])
def test_a_hostile_name_arrives_as_plain_text(smtp_server, name):
    account = an_account(smtp_server)
    start_now(a_mailing(to=[a_contact("eve@customers.example", first_name=name)]))
    drain(account.pk)
    (mail,) = smtp_server.mails
    assert mail.recipients == ("eve@customers.example",)
    assert mail.message["Bcc"] is None
    assert len(mail.message.get_all("To")) == 1
    assert mail.message["Date"]
    assert mail.message["Message-ID"]


@pytest.mark.parametrize("name", ["g\x00h", "i\ud800j"])
def test_a_name_that_no_database_stores_is_harmless_too(smtp_server, name):
    """They reach us through a host's property."""
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=[a_contact("eve@customers.example")]))
    (delivery,) = claiming.claim(account, 1)
    delivery.name = name
    mail = compose_delivery(
        Composer.for_run(run, "http://host.example"), account, delivery, {"first_name": name}
    )
    message = message_from_bytes(mail.message.message().as_bytes(), policy=policy.default)
    assert message["To"].addresses[0].addr_spec == "eve@customers.example"
    assert not message.defects


@pytest.mark.parametrize("entirely", [True, False])
def test_who_says_no_after_the_start_gets_nothing(smtp_server, entirely):
    account = an_account(smtp_server)
    people = contacts(3)
    target_list = a_target_list(*people)
    run = start_now(a_mailing(campaign=a_campaign(target_list)))
    address = EmailAddress.objects.get(key="person2@customers.example")
    consent.opt_out(address, [Scope() if entirely else target_list.consent_scope], LINK)
    drain(account.pk)
    assert "person2@customers.example" not in smtp_server.recipients
    assert len(smtp_server.mails) == 2
    left_out = run.deliveries.get(address=address)
    assert left_out.state == DeliveryState.SKIPPED
    assert left_out.reason == ("opted_out" if entirely else "opted_out_list")


def test_who_says_no_while_their_mail_is_on_the_wire_gets_nothing(smtp_server):
    """The last moment: the body has been sent, the dot has not."""
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(1)))
    address = EmailAddress.objects.get(key="person1@customers.example")
    commit = fence.commit_to_send

    def say_no_just_before(deliveries, known):
        consent.opt_out(address, [Scope()], LINK)
        return commit(deliveries, known)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fence, "commit_to_send", say_no_just_before)
        drain(account.pk)
    assert smtp_server.mails == []
    assert run.deliveries.get().state == DeliveryState.SKIPPED


def test_an_opt_out_of_another_list_changes_nothing(smtp_server):
    account = an_account(smtp_server)
    start_now(a_mailing(to=contacts(1)))
    other = a_target_list()
    consent.opt_out(EmailAddress.objects.get(), [other.consent_scope], LINK)
    drain(account.pk)
    assert len(smtp_server.mails) == 1


def test_an_address_that_bounced_meanwhile_gets_nothing(smtp_server):
    account = an_account(smtp_server)
    run = start_now(a_mailing(to=contacts(1)))
    consent.mark_invalid(EmailAddress.objects.get(), How(method=ConsentEvent.Method.PROVIDER))
    drain(account.pk)
    assert smtp_server.mails == []
    assert run.deliveries.get().reason == "invalid"


def test_a_deleted_record_and_a_changed_address_are_left_out_with_the_reason(smtp_server):
    account = an_account(smtp_server)
    gone, moved, same = contacts(3)
    run = start_now(a_mailing(to=[gone, moved, same]))
    gone_id = gone.pk
    gone.delete()
    type(moved).objects.filter(pk=moved.pk).update(email="elsewhere@customers.example")
    type(same).objects.filter(pk=same.pk).update(email="PERSON3@Customers.example")
    drain(account.pk)
    assert smtp_server.recipients == ["person3@customers.example"]
    reasons = dict(run.deliveries.values_list("object_id", "reason"))
    assert reasons == {str(gone_id): "record_gone", str(moved.pk): "address_changed", str(same.pk): ""}


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("verb", [actions.pause, actions.cancel])
def test_pause_and_cancel_take_effect_before_the_next_dot(smtp_server, monkeypatch, verb, connections):
    account = an_account(smtp_server, connections=connections)
    mailing = a_mailing(to=contacts(10))
    run = start_now(mailing)
    commit, passed, stopped = fence.commit_to_send, [], []

    def stop_at_the_third(deliveries, known):
        if len(passed) + len(deliveries) >= 3 and not stopped:
            stopped.append(verb(mailing))
        allowed = commit(deliveries, known)
        passed.extend(allowed)
        return allowed

    monkeypatch.setattr(fence, "commit_to_send", stop_at_the_third)
    drain(account.pk)
    assert len(smtp_server.mails) == len(passed) <= 2
    waiting = DeliveryState.CANCELLED if verb is actions.cancel else DeliveryState.QUEUED
    left = [DeliveryState.ACCEPTED] * len(passed)
    assert sorted(states_by_address(run).values()) == sorted(left + [waiting] * (10 - len(passed)))


def test_a_paused_mailing_goes_on_where_it_was(smtp_server):
    account = an_account(smtp_server)
    mailing = a_mailing(to=contacts(5))
    start_now(mailing)
    actions.pause(mailing)
    assert drain(account.pk).handled == 0
    actions.resume(mailing)
    drain(account.pk)
    assert len(smtp_server.mails) == 5


def test_the_template_may_change_during_a_run_and_the_mails_do_not(smtp_server):
    account = an_account(smtp_server)
    mailing = a_mailing(to=contacts(1))
    start_now(mailing)
    mailing.template.subject = "Changed"
    mailing.template.save()
    drain(account.pk)
    assert smtp_server.mails[0].message["Subject"] == "News for you"
