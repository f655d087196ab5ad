"""Figures on the pages of mailings and campaigns: only those that somebody could have counted."""

import pytest
from django.urls import reverse
from django.utils import timezone

from massmail_plugin import preferences
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.preferences import MailPreferences
from tests.builders import a_contact, a_mailing, an_account, start_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    """A campaign with one mailing: one mail, taken by an SMTP server."""
    account = an_account()
    run = start_now(a_mailing(to=[a_contact()]))
    run.deliveries.update(state="accepted", handed_at=timezone.now(), account=account)
    return run.mailing.campaign


def _shown(editor, campaign):
    """Return the labels of the figures, which must be the same on both pages."""
    pages = (
        reverse("massmail_campaigns:inspect", args=[campaign.pk]),
        reverse("massmail_mailings:inspect", args=[campaign.mailings.get().pk]),
    )
    one, other = ([label for label, _n in editor.get(url).context["shown_figures"]] for url in pages)
    assert one == other
    return set(one)


def test_figures_that_nobody_could_count_are_not_shown(editor, campaign):
    shown = _shown(editor, campaign)
    assert {"Sent", "Clicked", "Bounced"} <= shown
    assert not {"Delivered", "Opened (estimate)", "In doubt"} & shown


@pytest.mark.parametrize(("kind", "label"), [("delivered", "Delivered"), ("opened", "Opened (estimate)")])
def test_what_was_counted_is_shown(editor, campaign, kind, label):
    delivery = Delivery.objects.first()
    DeliveryEvent.objects.create(delivery=delivery, kind=kind, at=timezone.now(), dedupe_key=kind)
    assert label in _shown(editor, campaign)


def test_what_is_being_counted_is_shown_before_the_first(editor, campaign):
    preferences.load()
    MailPreferences.objects.update(track_opens=True, track_clicks=False)
    shown = _shown(editor, campaign)
    assert "Opened (estimate)" in shown
    assert "Clicked" not in shown


@pytest.mark.parametrize(
    ("backend", "reports"),
    [
        ("anymail.backends.mailgun.EmailBackend", True),
        ("django.core.mail.backends.smtp.EmailBackend", False),
    ],
)
def test_providers_report_what_was_delivered_and_other_backends_do_not(editor, campaign, backend, reports):
    provider = an_account(kind="backend", backend=backend)
    Delivery.objects.update(account=provider)
    assert ("Delivered" in _shown(editor, campaign)) is reports
