"""A mailing starts once, at its time; not when the clocks change (F62), and not hours late by itself (F63)."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.mailings import actions, starting
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.mailings.states import MailingState
from massmail_plugin.mailings.verbs import Refused
from tests.builders import a_mailing, an_account, contacts

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = dt.timedelta(hours=1)


def _pending(start_at, number=2):
    an_account()
    mailing = a_mailing(to=contacts(number))
    actions.release(mailing)
    Mailing.objects.filter(pk=mailing.pk).update(start_at=start_at)
    mailing.refresh_from_db()
    return mailing


def _state(mailing):
    return Mailing.objects.get(pk=mailing.pk).state


#: The night in October has 02:30 twice; fold=1 is the second of them.
@pytest.mark.parametrize("fold", [0, 1])
def test_f62_half_past_two_when_it_comes_twice_is_one_moment_and_one_start(fold):
    start = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    mailing = _pending(start)
    begins = start.astimezone(dt.UTC)
    night = [dt.datetime(2026, 10, 25, 0, 0, tzinfo=dt.UTC) + n * dt.timedelta(minutes=1) for n in range(120)]
    started = [moment for moment in night if starting.start_due(moment)]
    assert started == [begins]
    assert Run.objects.filter(mailing=mailing).count() == 1
    assert Delivery.objects.count() == 2


def test_f62_half_past_two_when_it_is_left_out_is_half_past_three():
    """Python reads the hour that does not exist by the offset before the change, so that none is lost."""
    mailing = _pending(dt.datetime(2027, 3, 28, 2, 30, tzinfo=BERLIN))
    half_past_three = dt.datetime(2027, 3, 28, 3, 30, tzinfo=BERLIN)
    assert starting.start_due(half_past_three - dt.timedelta(minutes=1)) == []
    assert len(starting.start_due(half_past_three)) == 1
    assert starting.start_due(half_past_three + HOUR) == []
    assert mailing.runs.count() == 1


@pytest.mark.parametrize("day", ["2027-03-28", "2026-10-25"])
def test_f62_the_form_asks_for_another_time_when_half_past_two_is_not_one_moment(day, settings):
    from massmail_plugin.admin.mailings import MailingViewSet

    with timezone.override(BERLIN):
        form = (
            MailingViewSet()
            .get_edit_handler()
            .get_form_class()({"start_at": f"{day} 02:30"}, instance=Mailing(), for_user=None)
        )
        assert "the clocks change" in str(form.errors["start_at"])
        with pytest.raises(ValidationError):
            form.fields["start_at"].clean(f"{day} 02:30")


def test_f63_an_overdue_start_asks_a_person(settings):
    start = timezone.now() - 2 * HOUR
    mailing = _pending(start)
    assert starting.start_due() == []
    mailing.refresh_from_db()
    assert mailing.state == MailingState.INTERRUPTED
    assert "It should have started on " in mailing.notice
    assert "Press Resume to send it now" in mailing.notice
    assert not Run.objects.exists()
    actions.resume(mailing)
    assert len(starting.start_due(clock.now())) == 1
    assert _state(mailing) == MailingState.ACTIVE


def test_f63_a_little_late_starts_by_itself_and_the_site_says_how_late(settings):
    mailing = _pending(timezone.now() - HOUR / 2)
    settings.MASSMAIL = {**settings.MASSMAIL, "START_GRACE_SECONDS": 60}
    assert starting.start_due() == []
    assert _state(mailing) == MailingState.INTERRUPTED
    Mailing.objects.filter(pk=mailing.pk).update(state=MailingState.PENDING)
    settings.MASSMAIL = {**settings.MASSMAIL, "START_GRACE_SECONDS": 3600}
    assert len(starting.start_due()) == 1


def test_f63_pressing_send_at_once_is_overdue_too_when_nothing_ran_for_hours():
    mailing = _pending(timezone.now())
    assert starting.start_due(timezone.now() + 3 * HOUR) == []
    assert _state(mailing) == MailingState.INTERRUPTED


def test_f63_resuming_an_overdue_mailing_passes_the_checks_again():
    mailing = _pending(timezone.now() - 2 * HOUR)
    starting.start_due()
    mailing.campaign.target_lists.clear()
    mailing.campaign.save()
    with pytest.raises(Refused, match=r"target list.* draft again"):
        actions.resume(Mailing.objects.get(pk=mailing.pk))
    assert _state(mailing) == MailingState.DRAFT


def test_who_was_given_a_later_start_in_the_meantime_waits_for_it():
    """A tick has read the list of due mailings; before its turn comes somebody withdraws it and plans it anew."""
    mailing = _pending(timezone.now())
    stale = Mailing.objects.get(pk=mailing.pk)
    actions.withdraw(mailing)
    Mailing.objects.filter(pk=mailing.pk).update(start_at=timezone.now() + 24 * HOUR)
    actions.release(Mailing.objects.get(pk=mailing.pk))
    assert starting.start(stale, timezone.now()) is None
    starting._overslept(stale, timezone.now() - HOUR)
    assert _state(mailing) == MailingState.PENDING


def test_the_tick_goes_by_the_databases_clock(monkeypatch):
    """F61: a machine whose clock is a day ahead starts nothing a day early."""
    mailing = _pending(timezone.now() + 2 * HOUR)
    now = timezone.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    monkeypatch.setattr(timezone, "now", lambda: now + 24 * HOUR)
    run_tick()
    assert _state(mailing) == MailingState.PENDING
    monkeypatch.setattr(clock, "now", lambda: now + 2 * HOUR)
    run_tick()
    assert _state(mailing) == MailingState.ACTIVE
