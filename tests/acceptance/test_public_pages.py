"""Signing up and choosing mails in a real browser: without scripts, in both themes, on a phone, for everybody."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from sandbox.crm.public_list import PUBLIC_LIST
from tests.acceptance.editor import Editor
from tests.acceptance.running_sandbox import RunningSandbox

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.xdist_group("public pages")]

PHONE, DESKTOP = {"width": 375, "height": 800}, {"width": 1280, "height": 900}
#: Seconds until a mail has come, on a slow machine.
PATIENCE = 60


class Visitor:
    """Somebody in front of the public pages, with a browser that runs no scripts of theirs."""

    def __init__(self, page: Page, sandbox: RunningSandbox) -> None:
        self.page = page
        self.sandbox = sandbox

    def signs_up(self, email: str) -> None:
        self.page.goto("/")
        self.page.get_by_role("link", name=f"Sign up: {PUBLIC_LIST}").click()
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Name").fill("Eve")
        self.presses("Sign up")
        # Whoever is as fast as a robot is asked to press once more.
        again = self.page.get_by_role("alert")
        deadline = time.monotonic() + PATIENCE
        while again.count() and time.monotonic() < deadline:
            self.presses("Sign up")
        expect(self.page.get_by_role("heading", name="Look into your inbox")).to_be_visible()

    def opens_the_mail(self, email: str) -> None:
        found = re.search(r"https?://\S+/mail/confirm/[\w-]+/", self.mail_to(email))
        assert found
        self.page.goto(found[0])

    def mail_to(self, email: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for mail in self.sandbox.mails:
                if str(mail["Delivered-To"]).lower() == email:
                    return _text(mail)
        raise AssertionError(f"No mail to {email} has come.\n{self.sandbox.said()}")

    def presses(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def sees_nothing_wrong(self) -> None:
        """Look with axe; its own script is the only one that runs."""
        violations = Axe().run(self.page).response["violations"]
        wrong = [f"{one['id']}: {node['html'][:150]}" for one in violations for node in one["nodes"]]
        assert wrong == [], self.page.url


def _text(mail: EmailMessage) -> str:
    body: Any = mail.get_body(("plain",))
    return str(body.get_content())


@pytest.fixture(params=[("light", DESKTOP), ("dark", PHONE)], ids=["light", "dark phone"])
def visitor(request: pytest.FixtureRequest, page: Page, sandbox: RunningSandbox) -> Visitor:
    theme, size = request.param
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    return Visitor(page, sandbox)


@pytest.fixture
def scriptless(browser: Browser, sandbox: RunningSandbox) -> Iterator[Visitor]:
    context = browser.new_context(base_url=sandbox.url, java_script_enabled=False)
    yield Visitor(context.new_page(), sandbox)
    context.close()


def _address(visitor: Visitor) -> str:
    size = visitor.page.viewport_size
    assert size
    return f"eve.{size['width']}@newcomers.example"


def test_every_page_of_the_way_is_accessible(visitor: Visitor) -> None:
    page, email = visitor.page, _address(visitor)
    page.goto("/")
    page.get_by_role("link", name=f"Sign up: {PUBLIC_LIST}").click()
    visitor.sees_nothing_wrong()
    page.get_by_label("E-mail address").fill("nobody")
    visitor.presses("Sign up")
    expect(page.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    visitor.sees_nothing_wrong()

    visitor.signs_up(email)
    visitor.sees_nothing_wrong()
    visitor.opens_the_mail(email)
    visitor.sees_nothing_wrong()
    visitor.presses("Sign up")
    expect(page.get_by_role("heading", name="You are signed up")).to_be_visible()
    visitor.sees_nothing_wrong()

    page.get_by_role("link", name="Choose which mails you get").click()
    visitor.sees_nothing_wrong()
    page.get_by_role("checkbox", name=PUBLIC_LIST).uncheck()
    visitor.presses("Save")
    expect(page.get_by_text("Thank you for riding with us.")).to_be_visible()
    visitor.sees_nothing_wrong()
    visitor.presses("Undo")
    visitor.sees_nothing_wrong()
    visitor.presses("Stop all mailings")
    visitor.sees_nothing_wrong()


def test_sign_up_preferences_and_undo_without_scripts(scriptless: Visitor) -> None:
    page, email = scriptless.page, "scriptless@newcomers.example"
    scriptless.signs_up(email)
    scriptless.opens_the_mail(email)
    # Nothing has happened by looking.
    expect(page.get_by_role("heading", name="Sign up?")).to_be_visible()
    scriptless.presses("Sign up")
    page.get_by_role("link", name="Choose which mails you get").click()
    box = page.get_by_role("checkbox", name=PUBLIC_LIST)
    expect(box).to_be_checked()

    box.uncheck()
    page.get_by_label("Why?").fill("No bicycle any more")
    scriptless.presses("Save")
    expect(box).not_to_be_checked()

    scriptless.presses("Undo")
    expect(box).to_be_checked()

    scriptless.presses("Stop all mailings")
    expect(page.get_by_role("status")).to_have_text("Saved. You get no mailing from us any more.")
    scriptless.presses("Undo")
    expect(box).to_be_checked()


def test_the_operator_sees_the_new_member_and_what_they_said(scriptless: Visitor, page: Page) -> None:
    email = "proof@newcomers.example"
    scriptless.signs_up(email)
    scriptless.opens_the_mail(email)
    scriptless.presses("Sign up")

    editor = Editor(page)
    editor.logs_in("editor")
    page.goto(f"/admin/massmail/addresses/?q={email}")
    editor.follows(email)
    editor.sees("sign-up, confirmed by mail")
    page.get_by_text("Show", exact=True).first.click()
    expect(page.get_by_text("form, IP address:")).to_be_visible()
    violations = Axe().run(page).response["violations"]
    assert [one["id"] for one in violations if one["impact"] in ("serious", "critical")] == []
