"""Workers, a mail server on disk, and the way back after a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from massmail_plugin.audience.importing.models import ListImport
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import RUNNING, DeliveryState
from tests.acceptance.faults.sink import Sink
from tests.acceptance.faults.workers import Workers, Zygote

#: Ticks until everything must be at its end (I4): two leases and two ticks.
TICKS = 4


@pytest.fixture(autouse=True)
def _real_commits(transactional_db: None) -> None:
    """Processes see only what is committed."""


@pytest.fixture(scope="session")
def zygote(django_db_setup: None) -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote


@pytest.fixture
def workers(zygote: Zygote, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(zygote, tmp_path)
    yield workers
    workers.end()
    # Shown if the test has failed.
    print(workers.said())


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    folder = tmp_path / "sink"
    folder.mkdir()
    with Sink(folder=folder) as sink:
        yield sink


@pytest.fixture
def go_on(workers: Workers) -> Callable[[Mailing], None]:
    """Return a function: time passes, and others take over until the mailing has ended."""

    def _go_on(mailing: Mailing) -> None:
        assert not workers.alive(), "Their leases must not end while they live."
        for _tick in range(TICKS):
            time_passes()
            workers.one_pass()
            mailing.refresh_from_db()
            if mailing.state not in RUNNING:
                return

    return _go_on


def time_passes() -> None:
    """Every lease has run out, and the time of every next attempt has come."""
    past = timezone.now() - timedelta(hours=1)
    Delivery.objects.filter(lease_until__isnull=False).update(lease_until=past)
    Delivery.objects.filter(state=DeliveryState.DEFERRED).update(next_attempt_at=past)
    ListImport.objects.filter(claimed_until__isnull=False).update(claimed_until=past)
