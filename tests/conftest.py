"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from tests.smtp_server import SmtpServer

_FORBID_SKIPS = "MASSMAIL_FORBID_SKIPS"


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """Return a mail server of the test's own; see :mod:`tests.smtp_server` for what it can be told to do."""
    with SmtpServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """The sandbox's cache is a folder: it would carry things from one test to the next."""
    yield
    cache.clear()


@pytest.fixture
def transactional_db(django_db_serialized_rollback: None, transactional_db: None) -> None:
    """Each test finds what the migrations have written: emptying all tables takes Wagtail's root page away."""


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Nothing: ``tests.settings`` already gives each pytest-xdist worker a database of its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and marker.kwargs.get("transaction"):
            # The same as the fixture above, for tests that only bear the marker.
            restoring = pytest.mark.django_db(transaction=True, serialized_rollback=True)
            item.add_marker(restoring, append=False)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    unwanted = _not_run(terminalreporter)
    if unwanted and os.environ.get(_FORBID_SKIPS):
        terminalreporter.section("not run, although everything has to", sep="=", red=True)
        for report in unwanted:
            terminalreporter.line(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and exitstatus == pytest.ExitCode.OK and os.environ.get(_FORBID_SKIPS) and _not_run(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _not_run(reporter: Any) -> list[Any]:
    return [report for kind in ("skipped", "xfailed") for report in reporter.stats.get(kind, [])]
