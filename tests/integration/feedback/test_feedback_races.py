"""The same thing told by several requests at the same moment happens once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from anymail.signals import AnymailTrackingEvent
from django.db import connection
from django.test import Client
from django.utils import timezone

from massmail_plugin.feedback.webhooks import receive_tracking_event
from massmail_plugin.recipients.models import ConsentEvent
from tests.builders import a_contact, a_target_list
from tests.integration.feedback.conftest import ADDRESS, Sent, send_to

AT_ONCE = 4


def at_once(act: Callable[[], object]) -> None:
    """Let several threads, each with its own connection, do the same at the same moment."""
    gate = Barrier(AT_ONCE)

    def run() -> None:
        gate.wait()
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in [pool.submit(run) for _ in range(AT_ONCE)]:
            future.result()


@pytest.fixture
def sent(transactional_db: None) -> Sent:
    return send_to((a_target_list(a_contact(ADDRESS), title="Customers"),))


def test_one_event_reported_several_times_at_once(sent: Sent) -> None:
    metadata, at = {"massmail_delivery": sent.delivery.pk}, timezone.now()
    event = AnymailTrackingEvent(event_type="complained", metadata=metadata, recipient=ADDRESS, timestamp=at)
    at_once(lambda: receive_tracking_event(None, event, "Postmark"))
    assert sent.kinds() == ["complained"]
    assert ConsentEvent.objects.count() == 1


def test_one_click_pressed_several_times_at_once(sent: Sent) -> None:
    url = sent.one_click_url()

    def press() -> None:
        assert Client().post(url, {"List-Unsubscribe": "One-Click"}).status_code == 200

    at_once(press)
    assert ConsentEvent.objects.count() == 1
    assert sent.kinds() == ["opted_out"]
