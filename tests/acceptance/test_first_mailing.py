"""The first mailing from end to end, as an editor does it: real processes, a real mail server, a real browser."""

from __future__ import annotations

import re
from email.message import EmailMessage

import pytest
import requests
from playwright.sync_api import Browser, expect

from tests.acceptance.dublin import dubliners
from tests.acceptance.editor import Editor
from tests.acceptance.running_sandbox import by_recipient

pytestmark = pytest.mark.browser

ZOE = "zoe.mueller@elm-print.example"
MADONNA = "madonna@amber-foods.example"
#: First names that would be markup, code or a second header in a careless mailer.
HOSTILE_NAMES = {
    "bobby@birch-bikes.example": "&lt;script&gt;alert(&#x27;hello&#x27;)&lt;/script&gt;",
    "curly@coral-solar.example": "{{ contact.email }}",
    "tom@birch-bikes.example": "Tom &amp;amp; Jerry",
    "percent@quartz-media.example": "%(name)s",
}


@pytest.fixture
def editor(page):
    editor = Editor(page)
    editor.logs_in("editor")
    return editor


def test_the_first_mailing_from_end_to_end(editor, sandbox, browser):
    people = dubliners(sandbox)
    write_a_template(editor)
    choose_everybody_in_dublin(editor, people.records)
    add_an_account(editor, sandbox.smtp_port)
    make_a_campaign(editor)
    make_a_mailing(editor)

    send_a_test(editor, "edith@home.example")
    [test_mail] = sandbox.mails
    assert test_mail["Delivered-To"] == "edith@home.example"
    assert test_mail["Subject"].startswith("[Test] ")

    send(editor, expected=len(people.willing | people.refused))
    watch_it_to_its_end(editor)
    editor.sees(f"{len(people.willing)} of {len(people.willing | people.refused)} mails sent")
    first = by_recipient(sandbox.mails[1:])
    assert first.keys() == people.willing
    check_the_mails(first)

    leave_by_the_link(browser, first[ZOE])
    leave_by_one_click(first[MADONNA])

    copy_the_mailing(editor)
    # Without those who have left, and those of whom the server has said that they do not exist.
    send(editor, expected=len(people.willing) - 2)
    watch_it_to_its_end(editor)
    second = by_recipient(sandbox.mails[1 + len(first) :])
    assert second.keys() == people.willing - {ZOE, MADONNA}
    find_why_they_were_left_out(editor)


def write_a_template(editor: Editor) -> None:
    editor.opens("Mailings", "Templates")
    editor.follows("Add email template")
    editor.fills(Name="Summer news", Subject="{{ contact.first_name }}, summer is here")
    editor.inserts_block("Heading").get_by_role("textbox", name="Heading").fill(
        "Summer in {{ contact.city }}"
    )
    # Typed, not filled: the rich text editor listens to keys.
    editor.inserts_block("Text").get_by_role("textbox").first.press_sequentially(
        "Hello {{ contact.first_name }}!"
    )
    button = editor.inserts_block("Button")
    button.get_by_role("textbox", name="Label").fill("See the offers")
    button.get_by_role("textbox", name="Link").fill("https://www.example.com/summer")
    editor.publishes()
    editor.is_told("Summer news")


def choose_everybody_in_dublin(editor: Editor, records: int) -> None:
    """Four pages of people, chosen at once by a filter."""
    editor.opens("Mailings", "Target lists")
    editor.follows("Add target list")
    editor.presses("Create a new target list")
    editor.fills(Title="Dubliners")
    editor.presses("Save")
    editor.sees("Nobody is in this list yet.")
    editor.follows("Add people")
    editor.filters("City contains", "Dublin")
    editor.page.get_by_role("checkbox", name="Select all").first.check()
    editor.presses(f"Select all {records} records found")
    editor.follows("Add to the list")
    editor.presses("Yes, add")
    editor.is_told(f"{records} added to “Dubliners”.")


def add_an_account(editor: Editor, smtp_port: int) -> None:
    editor.opens("Mailings", "Sender accounts")
    editor.follows("Add sender account")
    editor.fills(
        Name="Edith", From__name="Edith Editor", From__address="edith@sandbox.example", Server="127.0.0.1"
    )
    editor.page.get_by_role("spinbutton", name="Port").fill(str(smtp_port))
    editor.chooses("Encryption", "None (only for a server on your own machine or network)")
    editor.presses("Create")
    editor.presses("Test connection")
    editor.is_told("It works")


def make_a_campaign(editor: Editor) -> None:
    editor.opens("Mailings", "Campaigns")
    editor.follows("Add campaign")
    editor.fills(Name="Summer")
    # The second one excludes the list.
    editor.page.get_by_role("checkbox", name="Dubliners").first.check()
    editor.presses("Create")
    editor.is_told("Summer")


def make_a_mailing(editor: Editor) -> None:
    editor.follows("New mailing")
    editor.fills(Name="Summer to Dublin")
    editor.chooses("Campaign", "Summer")
    editor.presses("Choose email template")
    editor.page.get_by_role("dialog").get_by_role("link", name="Summer news").click()
    editor.presses("Create")
    editor.is_told("Summer to Dublin")


def send_a_test(editor: Editor, to: str) -> None:
    editor.follows("Send test")
    editor.fills(Send_to=to)
    editor.presses("Send test")
    editor.is_told(f"Sent to {to}.")


def send(editor: Editor, *, expected: int) -> None:
    """Press Send and confirm; the page says beforehand how many will get it."""
    editor.follows("Send…")
    editor.sees(f"{expected} people will get it")
    editor.presses(f"Send to {expected} people now")
    editor.is_told(f"The mails to {expected} people are on their way.")


def watch_it_to_its_end(editor: Editor) -> None:
    """The page follows the mailing by itself."""
    editor.stays_on_this_page()
    expect(editor.page.get_by_role("progressbar", name="Progress")).to_be_visible(timeout=90_000)
    expect(editor.page.get_by_text("Every mail has found its end.")).to_be_visible(timeout=90_000)
    editor.has_not_reloaded()


def check_the_mails(mails: dict[str, EmailMessage]) -> None:
    assert mails[ZOE]["Subject"] == "Zoë, summer is here"
    assert "Hello Zoë!" in text_of(mails[ZOE])
    for address, name in HOSTILE_NAMES.items():
        assert f"Hello {name}!" in html_of(mails[address])
    for mail in mails.values():
        assert mail["From"] == "Edith Editor <edith@sandbox.example>"
        assert mail["Return-Path"] == "<edith@sandbox.example>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail["Precedence"] == "bulk"
        assert mail["Bcc"] is None
        assert opt_out_link(mail) in html_of(mail)
        assert "Sandbox Trading Ltd" in text_of(mail)
        assert "https://www.example.com/summer" not in html_of(mail), "The click is not counted."
    for unique in (lambda mail: mail["Message-ID"], one_click_link, opt_out_link):
        assert len({unique(mail) for mail in mails.values()}) == len(mails)


def leave_by_the_link(browser: Browser, mail: EmailMessage) -> None:
    """Somebody who is not logged in, with a browser that runs no scripts. Looking alone changes nothing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(opt_out_link(mail))
    expect(page.get_by_role("heading", name="Stop these mails?")).to_be_visible()
    expect(page.get_by_text("Dubliners")).to_be_visible()
    page.get_by_role("button", name="Stop these mails").click()
    expect(page.get_by_text("gets no more mails")).to_be_visible()
    context.close()


def leave_by_one_click(mail: EmailMessage) -> None:
    """The button of a mail program, as RFC 8058 has it."""
    answer = requests.post(one_click_link(mail), data={"List-Unsubscribe": "One-Click"}, timeout=30)
    assert answer.ok


def copy_the_mailing(editor: Editor) -> None:
    editor.presses("Actions")
    editor.follows("Copy")
    editor.fills(Name="Summer to Dublin, again")
    editor.presses("Create")
    editor.is_told("Summer to Dublin, again")


def find_why_they_were_left_out(editor: Editor) -> None:
    left_out = editor.page.get_by_role("region", name="Left out")
    left_out.get_by_role("link", name="2 opted out of this list").click()
    for name in ("Zoë Müller-Ångström", "Madonna"):
        row = editor.page.get_by_role("row").filter(has_text=name)
        expect(row).to_contain_text("opted out of this list")


def text_of(mail: EmailMessage) -> str:
    return _part(mail, "plain")


def html_of(mail: EmailMessage) -> str:
    return _part(mail, "html")


def _part(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    assert part is not None, f"The mail has no {subtype} part."
    return str(part.get_content())


def opt_out_link(mail: EmailMessage) -> str:
    [link] = re.findall(r"http\S+/mail/o/[^)\s]+", text_of(mail))
    return str(link)


def one_click_link(mail: EmailMessage) -> str:
    [link] = re.findall(r"<(\S+)>", mail["List-Unsubscribe"])
    return str(link)
