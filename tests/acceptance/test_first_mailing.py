"""The first mailing from end to end, as an editor does it: real processes, a real mail server, a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def log_in(page: Page, username: str) -> None:
    page.goto("/admin/")
    page.get_by_role("textbox", name="Username").fill(username)
    page.get_by_role("textbox", name="Password").fill(username)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")


def test_an_editor_logs_in(page):
    log_in(page, "editor")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
