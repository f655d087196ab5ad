"""What every test may ask for."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from tests import any_database
from tests.database import database_of_this_process, make_template, shared_by_a_run
from tests.rows import restore_after_each_test
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


@pytest.fixture(scope="session")
def migrated_template(django_db_blocker: DjangoDbBlocker) -> None:
    """What every database of this run is a copy of."""
    with django_db_blocker.unblock():
        make_template()


@pytest.fixture(scope="session")
def django_db_setup(migrated_template: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Each test finds what the migrations have written, also after tests that commit."""
    with database_of_this_process():
        with django_db_blocker.unblock():
            restore_after_each_test()
        yield


def pytest_configure(config: pytest.Config) -> None:
    # The processes of pytest-xdist inherit what the first one sets.
    shared = shared_by_a_run()
    shared.__enter__()
    config.add_cleanup(lambda: shared.__exit__(None, None, None))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if any_database.reason(item.nodeid):
            item.add_marker(pytest.mark.any_database)
    elsewhere = [item for item in items if not _is_for(connection.vendor, item)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in set(elsewhere)]


def pytest_collection_finish(session: pytest.Session) -> None:
    # All that has been imported by now stays: looking through it again and again costs a tenth of the run.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _is_for(vendor: str, item: pytest.Item) -> bool:
    marker = item.get_closest_marker("only_on")
    return marker is None or vendor in marker.args


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
