"""The sandbox's mail server, over a real socket."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.inbox.maildir import Maildir
from sandbox.inbox.server import listen


@pytest.fixture
def maildir(tmp_path: Path) -> Maildir:
    return Maildir(tmp_path / "mail")


@pytest.fixture
def connection(maildir: Maildir) -> Iterator[smtplib.SMTP]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(listen(maildir, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with smtplib.SMTP("127.0.0.1", server.sockets[0].getsockname()[1], timeout=20) as client:
            yield client
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_what_was_accepted_is_on_disk(connection: smtplib.SMTP, maildir: Maildir) -> None:
    connection.sendmail(
        "n@sandbox.example", ["a@b.example", "c@d.example"], "Subject: Hello\r\n\r\n..two dots\r\n"
    )

    [entry] = maildir.entries()
    assert (entry.subject, entry.recipients) == ("Hello", "a@b.example, c@d.example")
    assert maildir.raw(entry).endswith(b"\r\n..two dots\r\n")


def test_mailboxes_that_do_not_exist_are_refused_one_by_one(
    connection: smtplib.SMTP, maildir: Maildir
) -> None:
    recipients = ["Unknown@GONE.example", "a@b.example"]

    refused = connection.sendmail("n@sandbox.example", recipients, "Subject: Hello\r\n\r\n")

    assert [(address, answer[0]) for address, answer in refused.items()] == [("Unknown@GONE.example", 550)]
    assert [entry.recipients for entry in maildir.entries()] == ["a@b.example"]


def test_international_addresses_are_accepted(connection: smtplib.SMTP, maildir: Maildir) -> None:
    content = "Subject: Grüße\r\n\r\n".encode()

    connection.sendmail("n@sandbox.example", ["jürgen@bücher.example"], content, mail_options=["SMTPUTF8"])

    assert [entry.recipients for entry in maildir.entries("jürgen")] == ["jürgen@bücher.example"]


def test_what_cannot_be_stored_is_not_accepted(
    connection: smtplib.SMTP, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(maildir, "store", full)

    with pytest.raises(smtplib.SMTPDataError) as refusal:
        connection.sendmail("n@sandbox.example", ["a@b.example"], "Subject: Hello\r\n\r\n")

    assert refusal.value.smtp_code == 451
