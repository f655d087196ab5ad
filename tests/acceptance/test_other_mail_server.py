"""The SMTP driver against a server that somebody else wrote: Postfix's smtp-sink, with and without extensions."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.compiled import CompiledContent
from massmail_plugin.delivery.mails.messages import Composer
from massmail_plugin.delivery.mails.outgoing import OutgoingMail
from massmail_plugin.delivery.transports.base import Verdict
from massmail_plugin.delivery.transports.smtp import SmtpTransport
from massmail_plugin.mailings.models import Campaign, Mailing
from tests.integration.transports.conftest import Fence, PlainMail, an_unsaved_account

ASCII = PlainMail(b"Subject: News\r\n\r\nHello!\r\n")
#: Lines that would end the mail, or lose a dot, if they left as they are.
DOTS = "One:\n.\n..\n.x\n\nThe end.\n."
EIGHT_BITS = PlainMail("Subject: News\r\n\r\nGrüße\r\n".encode())


@dataclass
class Sink:
    port: int
    folder: Path
    host: str = "127.0.0.1"

    @property
    def mails(self) -> list[bytes]:
        """What was taken: dots undone, line ends of this system."""
        dumps = (path.read_bytes() for path in self.folder.iterdir())
        # The sink puts its own lines in front of the mail.
        return [b"Subject:" + dump.partition(b"Subject:")[2].rstrip(b"\n") for dump in dumps]

    @property
    def texts(self) -> list[str]:
        """The text parts of the mails that were taken."""
        messages = [BytesParser(policy=policy.default).parsebytes(mail) for mail in self.mails]
        return [message.get_body(("plain",)).get_content() for message in messages]


@pytest.fixture
def smtp_sink(tmp_path: Path) -> Iterator[Callable[..., Sink]]:
    """Return a function that starts a sink with options; all are stopped at the end."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/lib/postfix:/usr/local/sbin:/usr/bin")
    assert program, "smtp-sink is missing. It comes with postfix: apt-get install postfix"
    started = []

    def start(*options: str) -> Sink:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        command = [program, *user, "-d", f"{folder}/mail.", *options, f"127.0.0.1:{port}", "100"]
        started.append(subprocess.Popen(command))
        _wait_until_it_listens(started[-1], port)
        return Sink(port, folder)

    yield start
    for process in started:
        process.terminate()
        process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            continue
        return
    raise AssertionError("smtp-sink has not started.")


def _composed() -> OutgoingMail:
    content = CompiledContent("Grüße", "<p>Grüße</p>", DOTS)
    composer = Composer(content, Mailing(campaign=Campaign(pk=3)), [], "https://crm.example")
    account = SenderAccount(from_name="Sales", from_email="sales@sandbox.example")
    return composer.compose(
        account, to="ada@customers.example", name="Ada Löwe", contact={}, delivery_id=7, address_id=8
    )


@pytest.mark.parametrize("options", [[], ["-p"], ["-8"], ["-e"], ["-p", "-8"]], ids=" ".join)
def test_mails_arrive_as_they_are_whatever_the_server_offers(smtp_sink, options):
    sink = smtp_sink(*options)
    with SmtpTransport(an_unsaved_account(sink)) as transport:
        for _mail in range(3):
            assert transport.deliver(_composed(), Fence()).verdict is Verdict.ACCEPTED
    assert [text.rstrip("\n") for text in sink.texts] == [DOTS] * 3


@pytest.mark.parametrize(
    ("options", "verdict"),
    [([], Verdict.ACCEPTED), (["-8"], Verdict.RECIPIENT), (["-e"], Verdict.RECIPIENT)],
    ids=str,
)
def test_w16_eighth_bits_leave_only_where_they_are_taken(smtp_sink, options, verdict):
    sink = smtp_sink(*options)
    with SmtpTransport(an_unsaved_account(sink)) as transport:
        assert transport.deliver(EIGHT_BITS, Fence()).verdict is verdict
        assert transport.deliver(ASCII, Fence()).verdict is Verdict.ACCEPTED
    assert len(sink.mails) == (2 if verdict is Verdict.ACCEPTED else 1)


@pytest.mark.parametrize("pipelining", [[], ["-p"]], ids=["pipelining", "one by one"])
@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (["-f", "CONNECT"], Verdict.UNREACHABLE),
        (["-r", "MAIL"], Verdict.UNREACHABLE),
        (["-f", "MAIL"], Verdict.ACCOUNT),
        (["-r", "RCPT"], Verdict.TEMPORARY),
        (["-f", "RCPT"], Verdict.RECIPIENT),
        (["-r", "DATA"], Verdict.TEMPORARY),
        (["-f", "DATA"], Verdict.RECIPIENT),
        (["-r", "."], Verdict.TEMPORARY),
        (["-f", "."], Verdict.RECIPIENT),
        (["-q", "MAIL"], Verdict.UNREACHABLE),
        (["-q", "RCPT"], Verdict.TEMPORARY),
        (["-q", "DATA"], Verdict.TEMPORARY),
        (["-q", "."], Verdict.DOUBT),
    ],
    ids=str,
)
def test_what_the_server_refuses_is_told_by_where_it_does(smtp_sink, options, verdict, pipelining):
    # Its own "500" would say that it does not know the command.
    sink = smtp_sink(*options, *pipelining, "-B", "554 5.3.0 No")
    with SmtpTransport(an_unsaved_account(sink)) as transport:
        for _mail in range(3):
            assert transport.deliver(ASCII, Fence()).verdict is verdict
