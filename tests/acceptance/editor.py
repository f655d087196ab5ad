"""What an editor does in the browser, by what is written on the screen."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


class Editor:
    """Somebody at the admin. Every verb ends on the page that it leads to."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def logs_in(self, username: str) -> None:
        """Log in as one of the sandbox's users, whose passwords are their names."""
        self.page.goto("/admin/")
        self.fills(Username=username, Password=username)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/admin/")

    def opens(self, *menu: str) -> None:
        """Click through the main menu."""
        sidebar = self.page.get_by_role("navigation", name="Main menu")
        *groups, last = menu
        for group in groups:
            sidebar.get_by_role("button", name=group, exact=True).click()
        sidebar.get_by_role("link", name=last, exact=True).click()

    def follows(self, link: str) -> None:
        self.page.get_by_role("main").get_by_role("link", name=link).first.click()

    def presses(self, button: str) -> None:
        self.page.get_by_role("main").get_by_role("button", name=button, exact=True).click()

    def fills(self, **fields: str) -> None:
        """Fill text fields, named by how their labels begin: "_" for spaces and "__" for ": "."""
        for label, text in fields.items():
            name = label.replace("__", ": ").replace("_", " ")
            self.page.get_by_role("textbox", name=re.compile(f"^{name}")).first.fill(text)

    def chooses(self, label: str, option: str) -> None:
        self.page.get_by_role("combobox", name=label).select_option(label=option)

    def is_told(self, message: str) -> None:
        expect(self.page.locator(".messages").get_by_text(message)).to_be_visible()

    def sees(self, text: str) -> None:
        expect(self.page.get_by_role("main").get_by_text(text).first).to_be_visible()

    def inserts_block(self, kind: str) -> Locator:
        """Add a block of this kind at the end of a template's body, and return it."""
        body = self.page.get_by_role("region", name="Body", exact=True)
        blocks = body.locator("[data-streamfield-child]")
        before = blocks.count()
        # A rich text block has a button of the same name.
        body.locator(".c-sf-add-button").last.click()
        body.get_by_role("option", name=kind, exact=True).click()
        expect(blocks).to_have_count(before + 1)
        return blocks.last

    def publishes(self) -> None:
        footer = self.page.get_by_role("navigation", name="Actions")
        footer.get_by_role("button", name="More actions").click()
        footer.get_by_role("button", name="Publish", exact=True).click()

    def filters(self, label: str, text: str) -> None:
        """Narrow a listing by a text; the page loads its rows again by itself."""
        self.page.get_by_role("button", name="Show filters").click()
        filters = self.page.locator(".w-drilldown")
        filters.get_by_role("button", name=label).click()
        field = filters.get_by_role("textbox", name=label)
        field.fill(text)
        # Now, so that leaving the field later does not load the rows a second time, and untick them.
        field.blur()
        # Arrives together with the new rows.
        expect(self.page.locator(".w-active-filters")).to_contain_text(text)
        self.page.keyboard.press("Escape")

    def stays_on_this_page(self) -> None:
        """Remember the page that is open now, for :meth:`has_not_reloaded`."""
        self.page.evaluate("window.stillTheSamePage = true")

    def has_not_reloaded(self) -> None:
        assert self.page.evaluate("window.stillTheSamePage") is True, "The page was loaded again."


def is_cut_off(page: Page) -> bool:
    """Whether the page is wider than the window, or a field stands out of it.

    Wagtail hides what stands out of its ``main``, so that the page is no wider, and nobody can scroll there.
    """
    return bool(
        page.evaluate(
            """document.documentElement.scrollWidth > document.documentElement.clientWidth
            || [...document.querySelectorAll("main .w-field")].some(
                (field) => field.getBoundingClientRect().right > window.innerWidth
            )"""
        )
    )
