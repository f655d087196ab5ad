"""The sandbox, running, and a browser that looks at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response

from tests.acceptance.running_sandbox import RunningSandbox
from tests.browser import find_chromium, running_chromium
from tests.processes import REPOSITORY

#: Milliseconds. A page that takes longer than this on any machine is broken.
_PATIENCE = 30_000
_PICTURES = REPOSITORY / "var" / "failed-tests"
_OUTCOME = pytest.StashKey[pytest.TestReport]()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, migrated_template: None) -> Iterator[RunningSandbox]:
    """The whole sandbox with its people, for all tests of one module."""
    with RunningSandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(migrated_template: None) -> Iterator[Browser]:
    """Chromium. While it runs Django lets nobody use the database: Playwright has an event loop in this thread."""
    path = find_chromium()
    if path is None:
        pytest.skip("Chromium is not installed.")
    with running_chromium(path) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, sandbox: RunningSandbox, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A new browser's first page. The test fails if a page's own scripts do, or if the server does."""
    context = browser.new_context(
        base_url=sandbox.url, viewport={"width": 1280, "height": 900}, locale="en-GB"
    )
    context.set_default_timeout(_PATIENCE)
    context.set_default_navigation_timeout(_PATIENCE)
    page = context.new_page()
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(f"script: {error.error}"))
    context.on("response", lambda response: _note_server_fault(response, faults))
    yield page
    report = request.node.stash.get(_OUTCOME, None)
    if report is not None and report.failed:
        _PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=_PICTURES / f"{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())}.png")
    context.close()
    assert not faults, "\n".join(faults)


def _note_server_fault(response: Response, faults: list[str]) -> None:
    if response.status >= 500:
        faults.append(f"{response.status} {response.request.method} {response.url}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report = yield
    if call.when == "call":
        item.stash[_OUTCOME] = report
        sandbox = getattr(item, "funcargs", {}).get("sandbox")
        if report.failed and sandbox is not None:
            report.sections.append(("The sandbox's processes", sandbox.said()[-20_000:]))
    return report
