"""Screens that say who gets mails, for everybody's eyes; and a host whose records are in Django's admin."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.acceptance.editor import Editor, is_cut_off
from tests.acceptance.running_sandbox import RunningSandbox, by_recipient

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.xdist_group("screens of people")]

PHONE, DESKTOP = {"width": 375, "height": 800}, {"width": 1280, "height": 900}
LOOKS = [("light", DESKTOP), ("dark", DESKTOP), ("dark", PHONE)]
#: Milliseconds for sending a few hundred mails on a slow machine.
PATIENCE = 180_000

#: The editor works in both admins. More mailings than a form shows at once, and a subscriber who has signed up.
_MORE = """
from django.contrib.auth import get_user_model
from massmail_plugin import recipients
from massmail_plugin.audience.members import add_members
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, Subscriber
get_user_model().objects.filter(username="editor").update(is_staff=True)
first = Mailing.objects.order_by("pk").first()
Mailing.objects.bulk_create(
    Mailing(name=f"Old news {n}", campaign=first.campaign, template=first.template, owner=first.owner)
    for n in range(120)
)
one = Subscriber.objects.create(email="zoe@subscribers.example", name="Zoe Newcomer")
tips = TargetListPage.objects.get(title="Bicycle tips")
add_members(tips, recipients.for_model(Subscriber), [one.pk])
address = EmailAddress.objects.create(key=one.key)
consent.opt_in(address, [tips.consent_scope], consent.How(ConsentEvent.Method.SIGN_UP))
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, migrated_template: None) -> Iterator[RunningSandbox]:
    """The sandbox with both admins."""
    folder = tmp_path_factory.mktemp("sandbox")
    with RunningSandbox(folder, settings="tests.acceptance.two_admins_settings") as running:
        running.manage("shell", "-v", "0", "-c", _MORE)
        yield running


@pytest.fixture
def editor(page: Page) -> Editor:
    editor = Editor(page)
    editor.logs_in("editor")
    return editor


def faults_of(page: Page) -> list[str]:
    """Return what is wrong with the open page in any look: what axe calls serious, and what is too wide."""
    faults: list[str] = []
    # Colours that are still changing have no contrast.
    page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    for theme, size in LOOKS:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        look = f"{page.url} ({theme}, {size['width']})"
        faults += [
            f"{look}: {violation['id']}: {node['html'][:200]}"
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
        if is_cut_off(page):
            faults.append(f"{look} is wider than the window")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return faults


def test_who_gets_a_mailing_is_told_to_everybody_on_every_screen(
    editor: Editor, sandbox: RunningSandbox
) -> None:
    page = editor.page
    faults: list[str] = []

    def look(url: str, sees: str) -> None:
        page.goto(url)
        expect(page.get_by_role("main").get_by_text(sees).first).to_be_visible()
        faults.extend(faults_of(page))

    look("/admin/target-lists/", "In Target lists")
    look("/admin/target-lists/choose_parent/", "Create a new target list")
    look("/admin/massmail/segments/edit/2/", "people are in it now.")
    look("/admin/massmail/segments/inspect/2/", "Its people now")
    look("/admin/massmail/subscribers/", "Zoe Newcomer")
    page.get_by_role("link", name="Zoe Newcomer").click()
    editor.sees("Confirmed the sign-up")
    faults += faults_of(page)

    look("/admin/massmail/mailings/people/1/", "people will get it.")
    page.goto("/admin/massmail/mailings/send/1/")
    page.get_by_role("button", name="people now").click()
    expect(page.locator("#massmail-state")).to_contain_text("Done", timeout=PATIENCE)
    look("/admin/massmail/mailings/people/1/", "Log of")
    look("/admin/massmail/mailings/why/?q=quinn", "Whom do you mean?")
    email, mail = next(iter(by_recipient(sandbox.mails).items()))
    look(f"/admin/massmail/mailings/why/?q={email}", "What happened")

    text = str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    links = re.findall(r"https?://[^\s)]+/mail/(o|preferences)/[\w-]+/", text)
    assert links == ["o", "preferences"], "The way out comes first."
    found = re.search(r"https?://[^\s)]+/mail/preferences/[\w-]+/", text)
    assert found
    look(found[0], "You get what is ticked.")
    assert faults == [], "\n".join(faults)


def test_the_people_of_a_mailing_long_ago_are_left_out(editor: Editor) -> None:
    page = editor.page
    page.goto("/admin/massmail/campaigns/edit/1/")
    box = page.get_by_role("group", name="Not to those who already got")
    search = box.get_by_role("searchbox")
    oldest = box.get_by_role("checkbox", name="Spring news to Dublin", exact=False)
    expect(oldest).to_have_count(0)
    search.fill("no such mailing")
    expect(box.get_by_text("Nothing matches.")).to_be_visible()
    search.fill("dublin spring")
    oldest.check()
    # What is ticked stays in sight.
    search.fill("old news 119")
    expect(box.get_by_role("checkbox", name="Old news 119")).to_be_visible()
    expect(oldest).to_be_visible()
    faults = faults_of(page)
    assert faults == [], "\n".join(faults)
    page.get_by_role("navigation", name="Actions").get_by_role("button", name="Save").click()
    editor.sees("Spring news to Dublin")
    page.goto("/admin/massmail/campaigns/edit/1/")
    expect(oldest).to_be_checked()


def test_rows_of_djangos_admin_go_into_a_list(editor: Editor) -> None:
    page = editor.page
    page.goto("/django-admin/crm/lead/?status__exact=new")
    rows = page.locator("#result_list tbody input[type=checkbox]")
    for number in range(2):
        rows.nth(number).check()
    add_to_target_list(page, "Selected: 2 (Leads)")
    page.get_by_label("Or the name of a new list").fill("From Django's admin")
    assert faults_of_our_part(page) == []
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("2 added to “From Django's admin”.")).to_be_visible()

    # All that the filter leaves, on all its pages.
    page.locator("#action-toggle").check()
    everything = page.get_by_text(re.compile(r"^Select all \d+ leads"))
    found = re.search(r"\d+", everything.inner_text())
    assert found
    number = int(found[0])
    assert number > rows.count()
    everything.click()
    add_to_target_list(page, f"Selected: {number} (Leads)")
    page.get_by_label("Target list:", exact=True).select_option(label="From Django's admin")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(
        page.get_by_text(f"{number - 2} added to “From Django's admin”, 2 were already in")
    ).to_be_visible()

    editor.page.goto("/admin/target-lists/")
    row = page.get_by_role("row").filter(has_text="From Django's admin")
    expect(row).to_contain_text(f"{number} people")


def add_to_target_list(page: Page, selected: str) -> None:
    page.get_by_label("Action:").select_option(label="Add to target list")
    page.get_by_role("button", name=re.compile("^(Go|Run)")).click()
    expect(page.get_by_role("heading", name=selected)).to_be_visible()


def faults_of_our_part(page: Page) -> list[str]:
    """Look at what is ours in Django's page, and at its width on a phone."""
    violations = Axe().run(page, context="#content").response["violations"]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    is_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return [one["id"] for one in violations] + ["too wide"] * is_wide
