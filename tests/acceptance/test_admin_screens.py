"""Our screens in a real browser: readable by everybody in both themes and at both widths, and alive."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.acceptance.editor import Editor, is_cut_off

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.xdist_group("admin screens")]

#: The sandbox comes with one of each.
SCREENS = [
    "campaigns/",
    "campaigns/new/",
    "campaigns/inspect/1/",
    "campaigns/edit/1/",
    "campaigns/log/1/",
    "mailings/",
    "mailings/new/",
    "mailings/inspect/1/",
    "mailings/doubts/1/",
    "mailings/send-test/1/",
    "segments/",
    "segments/new/",
    "segments/new/crm.contact/",
    "segments/inspect/1/",
    "segments/edit/2/",
    "segments/copy-people/1/",
    "accounts/",
    "accounts/new/",
    "accounts/inspect/1/",
    "addresses/",
    "addresses/inspect/1/",
    "addresses/opt-in/1/?scope=",
]
#: Only while the mailing has not been sent.
OF_A_DRAFT = ["mailings/edit/1/", "mailings/send/1/", "mailings/cancel/1/"]
#: Milliseconds for sending a few hundred mails on a slow machine.
PATIENCE = 180_000
PHONE, DESKTOP = {"width": 375, "height": 800}, {"width": 1280, "height": 900}


@pytest.fixture
def editor(page):
    editor = Editor(page)
    editor.logs_in("editor")
    return editor


def _serious(page):
    """Return what axe calls serious on the page, as short sentences."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{page.url}: {violation['id']}: {node['html'][:200]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def _faults(page, screen):
    """Open a screen, and return what is wrong with it."""
    response = page.goto(f"/admin/massmail/{screen}")
    assert response.status == 200, screen
    assert screen in page.url, screen
    faults = _serious(page)
    if is_cut_off(page):
        faults.append(f"{screen} is wider than the window")
    return faults


every_look = pytest.mark.parametrize(
    ("theme", "size"),
    [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)],
    ids=["light", "dark", "phone"],
)


@every_look
def test_no_screen_shuts_anybody_out_or_overflows(editor, theme, size):
    editor.page.emulate_media(color_scheme=theme)
    editor.page.set_viewport_size(size)
    assert [fault for screen in SCREENS + OF_A_DRAFT for fault in _faults(editor.page, screen)] == []


@every_look
def test_the_screen_of_those_who_run_the_site(page, theme, size):
    Editor(page).logs_in("admin")
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    assert _faults(page, "sending/") == []
    expect(page.get_by_role("heading", name="Sender accounts")).to_be_visible()


def test_an_account_can_be_entered_without_scripts(browser, sandbox, editor):
    context = browser.new_context(
        base_url=sandbox.url, java_script_enabled=False, storage_state=editor.page.context.storage_state()
    )
    page = context.new_page()
    page.goto("/admin/massmail/accounts/new/")
    for field in ("host", "port", "new_password", "backend", "new_options"):
        expect(page.locator(f"[name={field}]")).to_be_visible()
    context.close()


def test_only_the_fields_of_the_chosen_kind_are_shown(editor):
    page = editor.page
    page.goto("/admin/massmail/accounts/new/")
    expect(page.locator("[name=backend]")).to_be_hidden()
    editor.chooses("Sends through", "E-mail provider (Django or Anymail backend)")
    expect(page.locator("[name=backend]")).to_be_visible()
    expect(page.locator("[name=host]")).to_be_hidden()


def test_a_list_is_found_among_many(editor):
    page = editor.page
    page.goto("/admin/massmail/campaigns/edit/1/")
    box = page.locator("[data-controller=massmail-choices]").first
    # One list needs no search field.
    expect(box.get_by_role("searchbox")).to_be_hidden()
    box.locator("[data-massmail-choices-target=box] > div").evaluate(
        """(box) => {
            for (let n = 1; n <= 20; n += 1) {
                const choice = box.firstElementChild.cloneNode(true);
                choice.querySelector("input").checked = false;
                choice.querySelector("label").lastChild.textContent = ` Region ${n}`;
                box.append(choice);
            }
            // The controller counts its choices when it connects.
            const widget = box.closest("[data-controller]");
            widget.replaceWith(widget.cloneNode(true));
        }"""
    )
    search = box.get_by_role("searchbox")
    search.fill("region 7")
    expect(box.get_by_text("Region 7", exact=True)).to_be_visible()
    expect(box.get_by_text("Region 8", exact=True)).to_be_hidden()
    # What is ticked stays in sight.
    expect(box.get_by_role("checkbox", checked=True)).to_be_visible()
    search.fill("no such list")
    expect(box.get_by_text("Nothing matches.")).to_be_visible()


def test_a_segment_shows_how_many_fit_and_is_copied_into_a_list(editor):
    page = editor.page
    editor.opens("Mailings", "Segments")
    page.get_by_role("link", name="Add segment").first.click()
    editor.follows("Contacts")
    count = page.locator("[data-massmail-count-target=answer]")
    everybody = count.locator("strong").inner_text()
    editor.stays_on_this_page()
    editor.fills(Name="Dublin, never mailed", City_contains="dublin")
    expect(count.locator("strong")).not_to_have_text(everybody)
    dubliners = count.locator("strong").inner_text()
    editor.chooses("When they were mailed", "Mailed since")
    expect(count).to_contain_text("needs a number of days or a date")
    editor.chooses("When they were mailed", "Never mailed")
    expect(count.locator("strong")).to_have_text(dubliners)
    editor.has_not_reloaded()
    editor.presses("Create")
    editor.sees("City contains: dublin")
    editor.sees("Never mailed")
    page.get_by_role("link", name="Copy into a target list").first.click()
    assert _serious(page) == []
    editor.fills(Or_the_name_of_a_new_list="Dublin today")
    editor.presses("Copy")
    editor.is_told(f"{dubliners} added to “Dublin today”")
    expect(page.get_by_role("main").get_by_text(f"of {dubliners} people can be mailed")).to_be_visible()


def test_a_mailing_is_followed_to_its_end_without_reloading(editor):
    page = editor.page
    page.goto("/admin/massmail/mailings/send/1/")
    editor.page.get_by_role("button", name="people now").click()
    page.wait_for_url("**/inspect/1/")
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#massmail-state")).to_contain_text("Done", timeout=PATIENCE)
    expect(page.locator("#massmail-progress")).to_contain_text("100 %")
    expect(page.locator("#massmail-announcement")).to_have_text("Done, 100 percent")
    expect(page.locator("#massmail-so-far")).to_contain_text("Who got it")
    expect(page.get_by_role("button", name="Retry failed")).to_be_visible()
    assert page.evaluate("window.sameDocument")
    # It has ended: the page asks no more.
    expect(page.locator("#massmail-clock")).to_have_attribute("data-seconds", "0")
    assert _serious(page) == []


#: A mailing of which three people's mails are in doubt, in one transaction: the cluster must not send them first.
_DOUBTS = """
from django.db import transaction
from django.utils import timezone
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Mailing, Run
first = Mailing.objects.order_by("pk").first()
with transaction.atomic():
    mailing = Mailing.objects.create(
        name="In doubt", campaign=first.campaign, template=first.template, owner=first.owner, start_at=timezone.now()
    )
    Mailing.objects.filter(pk=mailing.pk).update(state="done")
    run = Run.objects.create(mailing=mailing, content="{}", finished_at=timezone.now())
    from massmail_plugin.recipients.models import EmailAddress
    for number, address in enumerate(EmailAddress.objects.order_by("pk")[:3]):
        run.deliveries.create(
            address=address, name=f"Person {number}", email=address.key, envelope=address.key,
            recipient_type="crm.contact", object_id=f"in doubt {number}", state="in_doubt", attempts=1,
            doubted_at=timezone.now(), account=SenderAccount.objects.first(), detail="The connection broke.",
        )
print("mailing", mailing.pk)
"""


@every_look
def test_a_person_decides_what_becomes_of_mails_in_doubt(editor, sandbox, theme, size):
    page = editor.page
    number = sandbox.manage("shell", "-v", "0", "-c", _DOUBTS).split()[-1]
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    page.goto(f"/admin/massmail/mailings/doubts/{number}/")
    assert _serious(page) == []
    people = page.get_by_role("list", name="Mails in doubt")
    people.get_by_role("checkbox", name="Choose Person 0").check()
    editor.presses("Count as sent")
    editor.is_told("1 mail counts as sent.")
    page.wait_for_url(f"**/inspect/{number}/")
    # On the mailing's own page, too.
    expect(people.get_by_role("checkbox", name="Choose Person 0")).to_have_count(0)
    people.get_by_role("checkbox", name="Choose Person 1").check()
    editor.presses("Send again")
    editor.is_told("1 mail is sent again.")
    people.get_by_role("checkbox", name="Choose Person 2").check()
    editor.presses("Count as sent")
    editor.is_told("1 mail counts as sent.")
    expect(people).to_have_count(0)
