"""Wagtail's start page: the mailings under way."""

import pytest
from django.urls import reverse

from massmail_plugin.mailings import deciding
from massmail_plugin.mailings.models import Mailing
from tests.builders import a_campaign, a_mailing, a_user, an_account, contacts, start_now
from tests.integration.admin.conftest import Counting, a_stranger, allow

pytestmark = pytest.mark.django_db

HEADING = "Mailings under way"


def _home(client):
    return client.get(reverse("wagtailadmin_home")).content.decode()


def _a_mailing(state, campaign=None, **fields):
    mailing = a_mailing(campaign=campaign or a_campaign(), name=f"Mailing {state}")
    Mailing.objects.filter(pk=mailing.pk).update(state=state, **fields)
    return mailing


def test_what_needs_somebody_stands_first_and_what_is_over_is_not_there(editor):
    for state in ("draft", "interrupted", "pending", "active", "active_error", "paused", "done", "cancelled"):
        _a_mailing(state)
    page = _home(editor)
    assert HEADING in page
    shown = ["interrupted", "paused", "active_error", "active", "pending"]
    assert [page.index(f">Mailing {state}<") for state in shown] == sorted(
        page.index(f">Mailing {state}<") for state in shown
    )
    for state in ("draft", "done", "cancelled"):
        assert f">Mailing {state}<" not in page


def test_it_leads_to_the_mailing_and_says_what_is_wrong(editor):
    mailing = _a_mailing("interrupted", notice="<b>No account</b> is ready.")
    page = _home(editor)
    assert reverse("massmail_mailings:inspect", args=[mailing.pk]) in page
    assert "&lt;b&gt;No account&lt;/b&gt; is ready." in page


def test_without_a_mailing_under_way_nothing_is_said(editor):
    _a_mailing("done")
    assert HEADING not in _home(editor)


def test_who_may_not_look_at_mailings_is_told_of_none(signed_in):
    _a_mailing("active")
    assert HEADING not in _home(signed_in(a_stranger()))
    assert HEADING in _home(signed_in(allow(a_user(), "view_mailing")))


def test_many_need_no_more_queries_and_only_the_first_are_shown(editor):
    campaign = a_campaign()
    _a_mailing("active", campaign)
    count = Counting(editor)
    few = count(reverse("wagtailadmin_home"))
    for _number in range(11):
        _a_mailing("active", campaign)
    assert count(reverse("wagtailadmin_home")) == few
    page = _home(editor)
    assert page.count(">Mailing active<") == 10
    assert f"{reverse('massmail_mailings:index')}?state=pending" in page


def test_a_mailing_that_is_done_but_for_doubts_waits_for_somebody(editor):
    an_account()
    mailing = a_mailing(to=contacts(2))
    run = start_now(mailing)
    run.deliveries.update(state="in_doubt")
    Mailing.objects.update(state="done")
    assert "Some mails are in doubt: decide what becomes of them." in _home(editor)
    deciding.count_as_sent(mailing)
    assert HEADING not in _home(editor)
