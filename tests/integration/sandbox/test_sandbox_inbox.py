"""The sandbox's inbox: nothing that was accepted is lost, and what arrived can do no harm in the browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sandbox.inbox import views
from sandbox.inbox.maildir import Maildir

HOSTILE = "<script>alert('hello')</script>"


@pytest.fixture
def maildir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maildir]:
    folder = Maildir(tmp_path / "mail")
    monkeypatch.setattr(views, "maildir", lambda: folder)
    return folder


def mail(subject: str = "Spring news", *, html: str = "", headers: dict[str, str] | None = None) -> bytes:
    message = EmailMessage()
    message["From"] = "Nora <nora@sandbox.example>"
    message["To"] = "Zoë <zoe@elm-print.example>"
    message["Subject"] = subject
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content("Hello in plain text")
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


class TestMaildir:
    def test_keeps_every_byte_behind_its_own_trace_headers(self, maildir: Maildir) -> None:
        raw = mail() + b"\r\n.leading dot\r\n\xff\x00 binary"

        path = maildir.store(raw, "bounce@sandbox.example", ["a@b.example", "c@d.example"])

        trace, _, rest = path.read_bytes().partition(raw)
        assert rest == b""
        assert trace == (
            b"Return-Path: <bounce@sandbox.example>\r\n"
            b"Delivered-To: a@b.example\r\n"
            b"Delivered-To: c@d.example\r\n"
        )

    def test_an_address_cannot_smuggle_a_header(self, maildir: Maildir) -> None:
        path = maildir.store(mail(), "a@b.example\r\nX-Evil: 1", ["c@d.example\nX-Evil: 2"])

        assert b"\nX-Evil" not in path.read_bytes()

    def test_lists_the_newest_first(self, maildir: Maildir) -> None:
        for number in range(5):
            maildir.store(mail(f"Number {number}"), "", ["a@b.example"])

        subjects = [entry.subject for entry in maildir.entries(limit=3)]

        assert subjects == ["Number 4", "Number 3", "Number 2"]
        assert [entry.subject for entry in maildir.entries(offset=3, limit=3)] == ["Number 1", "Number 0"]

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("ZOE 100%", 1),
            ("100%", 1),
            ("%", 1),
            ("_", 0),
            ("spring", 2),
            ("spring elm-print", 2),
            ("'; --", 0),
        ],
    )
    def test_search_looks_for_every_word_as_it_is(self, maildir: Maildir, search: str, found: int) -> None:
        maildir.store(mail("Spring: 100% wool"), "", ["zoe@elm-print.example"])
        maildir.store(mail("Spring: 1000 things"), "", ["anna@elm-print.example"])

        assert maildir.count(search) == len(maildir.entries(search)) == found

    def test_a_lost_index_is_made_again_from_the_mails(self, maildir: Maildir, tmp_path: Path) -> None:
        maildir.store(mail("Für Zoë"), "", ["zoe@elm-print.example"])
        before = maildir.entries()
        for file in (tmp_path / "mail").glob("index.sqlite3*"):
            file.unlink()

        assert Maildir(tmp_path / "mail").entries() == before

    def test_what_was_never_finished_is_not_listed(self, maildir: Maildir, tmp_path: Path) -> None:
        (tmp_path / "mail" / "tmp" / "1.2.eml").write_bytes(b"Subject: half")

        assert Maildir(tmp_path / "mail").count() == 0


class TestPages:
    @pytest.fixture
    def stored(self, maildir: Maildir) -> Maildir:
        maildir.store(
            mail(HOSTILE, html=f"<html><head></head><p>Hi {HOSTILE}</p></html>"), "", ["a@b.example"]
        )
        return maildir

    def get(self, client: Client, path: str) -> Any:
        response = client.get(f"/inbox/{path}")
        assert response.status_code == 200
        return response

    @pytest.mark.parametrize("path", ["", "1/", "1/text/", "1/headers/", "1/source/", f"?q={HOSTILE}"])
    @pytest.mark.usefixtures("stored")
    def test_every_page_shows_hostile_text_as_text(self, client: Client, path: str) -> None:
        page = self.get(client, path).content.decode()

        assert "<script" not in page
        assert "&lt;script&gt;" in page

    @pytest.mark.usefixtures("stored")
    def test_the_mail_itself_stays_in_a_box(self, client: Client) -> None:
        response = self.get(client, "1/body/")
        policy = response["Content-Security-Policy"]

        assert "allow-scripts" not in policy
        assert "allow-same-origin" not in policy
        assert policy.startswith("sandbox ")
        assert "default-src 'none'" in policy
        assert '<head><base target="_blank">' in response.content.decode()

    @pytest.mark.usefixtures("stored")
    def test_the_frame_is_boxed_too(self, client: Client) -> None:
        page = self.get(client, "1/").content.decode()

        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page

    @pytest.mark.parametrize("path", ["2/", "2/body/", "99999999999999999999/"])
    @pytest.mark.django_db  # a page that is not found may be a redirect
    @pytest.mark.usefixtures("stored")
    def test_a_mail_that_is_not_there_is_not_found(self, client: Client, path: str) -> None:
        assert client.get(f"/inbox/{path}").status_code == 404

    def test_the_list_opens_no_mail(self, stored: Maildir, client: Client, tmp_path: Path) -> None:
        shutil.rmtree(tmp_path / "mail" / "new")

        assert "a@b.example" in self.get(client, "").content.decode()

    def test_long_lists_have_pages_that_keep_the_search(self, maildir: Maildir, client: Client) -> None:
        for number in range(views.PER_PAGE + 1):
            maildir.store(mail(f"Number {number}"), "", ["a@b.example"])

        first = self.get(client, "?q=number").content.decode()
        last = self.get(client, "?q=number&p=2").content.decode()

        assert "?q=number&amp;p=2" in first
        assert "Number 50" in first
        assert "Number 0<" not in first
        assert "Number 0<" in last

    def test_offers_the_one_click_button_of_mail_programs(self, maildir: Maildir, client: Client) -> None:
        url = "http://127.0.0.1:8000/mail/u/token"
        one_click = {
            "List-Unsubscribe": f"<mailto:out@sandbox.example>, <{url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        maildir.store(mail(headers=one_click), "", ["a@b.example"])
        maildir.store(mail(headers={"List-Unsubscribe": f"<{url}>"}), "", ["a@b.example"])

        assert f'method="post" action="{url}"' in self.get(client, "1/").content.decode()
        assert 'method="post"' not in self.get(client, "2/").content.decode()

    def test_an_empty_inbox_says_what_to_do(self, maildir: Maildir, client: Client) -> None:
        assert "No mail has arrived yet" in self.get(client, "").content.decode()
        assert "No mail matches" in self.get(client, "?q=nothing").content.decode()
