"""The verbs of a mailing: each does its one thing, once, or says why not."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.utils import timezone
from wagtail.models import ModelLogEntry

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.delivery.ledger import routes, writing
from massmail_plugin.delivery.turns.outcomes import taken_back
from massmail_plugin.mailings import actions, ending, freeze, preflight, starting, verbs
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.mailings.verbs import Refused
from massmail_plugin.preferences import MailPreferences
from massmail_plugin.recipients import registry
from massmail_plugin.recipients.models import EmailAddress
from sandbox.crm.models import Lead
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_target_list,
    a_template,
    a_user,
    an_account,
    contacts,
    start_now,
)

pytestmark = pytest.mark.django_db


def _state(mailing):
    return Mailing.objects.get(pk=mailing.pk).state


def _refusal(mailing):
    with pytest.raises(Refused) as caught:
        actions.release(mailing)
    assert _state(mailing) == MailingState.DRAFT
    assert not Run.objects.exists()
    return str(caught.value)


def test_release_waits_for_the_tick_and_start_freezes_everything():
    an_account()
    mailing = a_mailing(to=contacts(3))
    actions.release(mailing)
    assert _state(mailing) == MailingState.PENDING
    (run,) = starting.start_due()
    assert _state(mailing) == MailingState.ACTIVE
    assert run.deliveries.filter(state=DeliveryState.QUEUED).count() == 3


def test_a_mailing_for_later_does_not_start_now():
    an_account()
    mailing = a_mailing(to=contacts(1), start_at=timezone.now() + timedelta(hours=1))
    actions.release(mailing)
    assert starting.start_due() == []
    Mailing.objects.update(start_at=timezone.now())
    assert len(starting.start_due()) == 1


def test_a_mailing_without_an_account_is_refused():
    assert "account" in _refusal(a_mailing(to=contacts(1)))


def test_a_stopped_account_does_not_count():
    an_account(state=SenderAccount.State.FAULTY)
    assert "account" in _refusal(a_mailing(to=contacts(1)))


def test_a_mailing_to_nobody_is_refused():
    an_account()
    assert "Nobody" in _refusal(a_mailing(to=[a_contact("no-at-sign")]))


def test_people_of_a_type_that_is_gone_are_told_of_and_never_get_in_where_they_were_excluded(monkeypatch):
    an_account()
    lead = Lead.objects.create(email="ada@customers.example", first_name="Ada")
    ada = a_contact("ada@customers.example")
    to_all = a_campaign(a_target_list(lead, ada))
    all_but_ada = a_campaign(a_target_list(lead), excluding=[a_target_list(ada)])
    monkeypatch.delitem(registry._types, "crm.contact")

    assert "no longer knows" in " ".join(preflight.check(a_mailing(campaign=to_all)).warnings)
    assert "crm.contact" in _refusal(a_mailing(campaign=all_but_ada))


def test_a_campaign_without_lists_is_refused():
    an_account()
    assert "target list" in _refusal(a_mailing(campaign=a_campaign()))


def test_a_mailing_without_a_template_is_refused():
    an_account()
    mailing = a_mailing(to=contacts(1))
    mailing.template = None
    mailing.save()
    assert "template" in _refusal(mailing)


def test_a_start_in_the_past_is_refused():
    an_account()
    mailing = a_mailing(to=contacts(1), start_at=timezone.now() - timedelta(minutes=1))
    assert "passed" in _refusal(mailing)


def test_a_template_that_does_not_compile_is_refused_and_says_where():
    an_account()
    refusal = _refusal(
        a_mailing(to=contacts(1), template=a_template("<p>{{ contact.first_name | nonsense }}</p>"))
    )
    assert "nonsense" in refusal


def test_an_unknown_merge_field_is_refused():
    an_account()
    refusal = _refusal(a_mailing(to=contacts(1), template=a_template("<p>{{ contact.frist_name }}</p>")))
    assert "frist_name" in refusal


def test_a_draft_template_is_refused():
    an_account()
    assert "draft" in _refusal(a_mailing(to=contacts(1), template=a_template(live=False)))


def test_a_site_without_a_public_address_is_refused(settings):
    settings.WAGTAILADMIN_BASE_URL = ""
    settings.MASSMAIL = {}
    MailPreferences.load()
    an_account()
    assert "public address" in _refusal(a_mailing(to=contacts(1)))


def test_release_twice_is_one_release():
    an_account()
    mailing = a_mailing(to=contacts(1))
    actions.release(mailing)
    with pytest.raises(Refused):
        actions.release(mailing)


@pytest.mark.django_db(transaction=True)
def test_of_several_starts_at_once_exactly_one_makes_a_run():
    an_account()
    mailing = a_mailing(to=contacts(20))
    actions.release(mailing)
    mailing.refresh_from_db()
    barrier, runs = threading.Barrier(4), []

    def start():
        try:
            barrier.wait()
            runs.append(starting.start(mailing))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([run for run in runs if run]) == 1
    assert Run.objects.count() == 1
    assert Delivery.objects.count() == 20


def test_a_stale_start_after_a_pause_starts_nothing():
    """Two ticks hold the same list of due mailings; a person pauses in between."""
    an_account()
    mailing = a_mailing(to=contacts(1))
    start_now(mailing)
    actions.pause(mailing)
    assert starting.start(mailing) is None
    assert _state(mailing) == MailingState.PAUSED
    assert Run.objects.count() == 1


def test_a_mailing_that_cannot_start_is_interrupted_with_the_reason_and_can_be_resumed():
    account = an_account()
    mailing = a_mailing(to=contacts(1))
    actions.release(mailing)
    SenderAccount.objects.update(state=SenderAccount.State.OFF)
    assert starting.start_due() == []
    mailing.refresh_from_db()
    assert mailing.state == MailingState.INTERRUPTED
    assert "account" in mailing.notice
    assert not Run.objects.exists()
    SenderAccount.objects.filter(pk=account.pk).update(state=SenderAccount.State.READY)
    actions.resume(mailing)
    assert _state(mailing) == MailingState.PENDING


def test_a_failure_in_the_middle_of_freezing_starts_nothing_and_is_gone_on_with(monkeypatch):
    an_account()
    mailing = a_mailing(to=contacts(2))
    actions.release(mailing)
    copy = freeze.copy_slice

    def cut_off(run, audience, *, size):
        copy(run, audience, size=1)
        raise RuntimeError("the process died here")

    monkeypatch.setattr(freeze, "copy_slice", cut_off)
    with pytest.raises(RuntimeError):
        starting.start(mailing)
    assert _state(mailing) == MailingState.PENDING
    run = Run.objects.get()
    assert run.frozen_at is None

    monkeypatch.undo()
    assert starting.start(mailing) == run
    assert Delivery.objects.filter(run=run, state=DeliveryState.QUEUED).count() == 2


@pytest.mark.parametrize("verb", [actions.withdraw, actions.cancel])
def test_a_mailing_that_is_stopped_while_it_is_frozen_leaves_nothing_behind(verb):
    an_account()
    mailing = a_mailing(to=contacts(2))
    actions.release(mailing)
    steps = iter([False, False, True])
    assert starting.start(mailing, stop=lambda: next(steps)) is None
    assert Run.objects.filter(mailing=mailing, frozen_at=None).exists()

    verb(mailing)

    assert starting.start(mailing) is None
    assert not Run.objects.exists()
    assert not Audience.objects.exists()
    assert not Delivery.objects.exists()


def test_everybody_of_the_lists_is_in_the_ledger_with_a_reason_or_a_place():
    an_account()
    people = [
        a_contact("ann@customers.example"),
        a_contact("ANN@customers.example"),
        a_contact("no-at-sign"),
        a_contact("bob@customers.example"),
    ]
    nobody = a_contact("x@customers.example")
    type(nobody).objects.filter(pk=nobody.pk).update(email="")
    outcast = a_contact("eve@customers.example")
    lists = [a_target_list(*people, nobody), a_target_list(people[0], outcast)]
    run = start_now(a_mailing(campaign=a_campaign(*lists, excluding=[a_target_list(outcast)])))
    by_reason = sorted(run.deliveries.values_list("reason", flat=True))
    assert by_reason == ["", "", "duplicate", "excluded", "malformed", "no_address"]
    assert set(run.deliveries.filter(reason="").values_list("state", flat=True)) == {DeliveryState.QUEUED}
    assert set(run.deliveries.exclude(reason="").values_list("state", flat=True)) == {DeliveryState.SKIPPED}


@pytest.mark.parametrize("left_out", ["opted_out", "complained", "invalid", "excluded"])
def test_several_records_with_the_address_of_somebody_who_is_left_out_keep_nobody_else_from_the_mailing(
    left_out,
):
    an_account()
    twice = [
        a_contact("ann@customers.example"),
        a_contact("ANN@customers.example"),
        a_contact("ann@Customers.example"),
    ]
    excluded = []
    if left_out == "excluded":
        excluded = [a_target_list(twice[1])]
    else:
        EmailAddress.objects.create(key="ann@customers.example", **{f"{left_out}_since": timezone.now()})
    lists = [a_target_list(*twice, a_contact("bob@customers.example"))]
    run = start_now(a_mailing(campaign=a_campaign(*lists, excluding=excluded)))
    anns = run.deliveries.filter(email__istartswith="ann")
    assert set(anns.values_list("state", "reason")) == {(DeliveryState.SKIPPED, left_out)}
    assert anns.exclude(address=None).count() == 1
    assert run.deliveries.get(state=DeliveryState.QUEUED).email == "bob@customers.example"


def test_withdraw_only_before_the_start():
    an_account()
    mailing = a_mailing(to=contacts(1))
    actions.release(mailing)
    actions.withdraw(mailing)
    assert _state(mailing) == MailingState.DRAFT
    actions.release(mailing)
    starting.start(mailing)
    with pytest.raises(Refused):
        actions.withdraw(mailing)


def test_cancel_ends_what_waits_and_cannot_be_taken_back():
    an_account()
    mailing = a_mailing(to=contacts(3))
    run = start_now(mailing)
    assert actions.cancel(mailing) == 3
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.CANCELLED}
    for verb in (actions.resume, actions.pause, actions.cancel, actions.retry_failed):
        with pytest.raises(Refused):
            verb(mailing)


def test_retry_queues_the_failed_mails_and_no_others():
    an_account()
    mailing = a_mailing(to=contacts(4))
    run = start_now(mailing)
    failed, doubtful, *sent = run.deliveries.order_by("pk")
    states = {failed: DeliveryState.FAILED, doubtful: DeliveryState.IN_DOUBT}
    for delivery in (failed, doubtful, *sent):
        Delivery.objects.filter(pk=delivery.pk).update(
            state=states.get(delivery, DeliveryState.ACCEPTED), attempts=3
        )
    ending.finish_runs()
    assert _state(mailing) == MailingState.DONE
    assert actions.retry_failed(mailing) == 1
    assert _state(mailing) == MailingState.ACTIVE
    queued = run.deliveries.get(state=DeliveryState.QUEUED)
    assert (queued.pk, queued.attempts) == (failed.pk, 0)
    run.refresh_from_db()
    assert run.finished_at is None


def test_a_mailing_that_is_done_while_a_mail_waits_goes_on():
    """A worker that was given up comes back: the mail that was called in doubt was not sent after all."""
    an_account()
    mailing = a_mailing(to=contacts(2))
    run = start_now(mailing)
    doubtful, sent = run.deliveries.order_by("pk")
    Delivery.objects.filter(pk=sent.pk).update(state=DeliveryState.ACCEPTED)
    Delivery.objects.filter(pk=doubtful.pk).update(state=DeliveryState.IN_DOUBT, claim_token="t", attempts=1)
    assert (ending.finish_runs(), ending.reopen_runs()) == (1, 0)
    doubtful.refresh_from_db()
    assert writing.write([taken_back(doubtful)])
    assert ending.reopen_runs() == 1
    assert _state(mailing) == MailingState.ACTIVE
    assert routes.has_work(SenderAccount.objects.get())


def test_each_verb_is_in_the_audit_log_with_the_person():
    an_account()
    user = a_user()
    mailing = a_mailing(to=contacts(1))
    actions.release(mailing, user=user)
    starting.start(mailing)
    actions.pause(mailing, user=user)
    entries = ModelLogEntry.objects.for_instance(mailing).order_by("pk").values_list("action", "user__pk")
    assert list(entries) == [
        ("massmail.release", user.pk),
        ("massmail.start", None),
        ("massmail.pause", user.pk),
    ]


def test_a_mailing_that_breaks_at_its_start_keeps_no_other_from_starting(monkeypatch):
    an_account()
    broken, sound = a_mailing(to=contacts(1)), a_mailing(to=contacts(1, domain="others.example"))
    for mailing in (broken, sound):
        actions.release(mailing)
    begin = freeze.begin

    def fail_for_one(mailing):
        if mailing == broken:
            raise RuntimeError("a bug in the host")
        return begin(mailing)

    monkeypatch.setattr(freeze, "begin", fail_for_one)
    assert [run.mailing for run in starting.start_due()] == [sound]
    broken.refresh_from_db()
    assert broken.state == MailingState.INTERRUPTED
    assert "administrator" in broken.notice
    assert "a bug in the host" not in broken.notice


def test_a_busy_database_only_delays_the_start(monkeypatch):
    an_account()
    mailing = a_mailing(to=contacts(1))
    actions.release(mailing)

    def busy(mailing):
        raise OperationalError("database is locked")

    monkeypatch.setattr(freeze, "begin", busy)
    assert starting.start_due() == []
    assert _state(mailing) == MailingState.PENDING
    monkeypatch.undo()
    assert len(starting.start_due()) == 1


def test_a_verb_that_cannot_be_logged_is_not_done(monkeypatch):
    an_account()
    mailing = a_mailing(to=contacts(1))

    def unloggable(**kwargs):
        raise RuntimeError("no log")

    monkeypatch.setattr(verbs, "log", unloggable)
    with pytest.raises(RuntimeError):
        actions.release(mailing)
    assert _state(mailing) == MailingState.DRAFT


def test_changes_that_are_not_published_are_told_before_the_old_ones_are_sent():
    an_account()
    mailing = a_mailing(to=contacts(1))
    mailing.template.preheader = "All that is new"
    mailing.template.save()
    assert not preflight.check(mailing).warnings
    mailing.template.subject = "Newer"
    mailing.template.save_revision()
    mailing.template.refresh_from_db()
    (warning,) = preflight.check(mailing).warnings
    assert "What was published last is sent." in warning
