"""The whole sandbox as ``make demo`` runs it: web server, cluster and mail server, on data of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType

from sandbox.inbox.maildir import Maildir
from tests.database import temporary_database
from tests.processes import MANAGE, REPOSITORY, Process, free_port


class RunningSandbox:
    """A context manager. ``url`` is the web server's address, without a slash at its end."""

    def __init__(self, folder: Path, settings: str = "sandbox.settings") -> None:
        self._stack = ExitStack()
        self._folder = folder
        self._web_port, self._smtp_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._web_port}"
        self.smtp_port = self._smtp_port
        self._maildir = Maildir(folder / "mail")
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": settings,
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
            "MASSMAIL_SANDBOX_VAR": str(folder),
            "MASSMAIL_SANDBOX_URL": self.url,
            "MASSMAIL_SANDBOX_SMTP_PORT": str(self._smtp_port),
        }

    def __enter__(self) -> RunningSandbox:
        with ExitStack() as stack:
            self.environment |= stack.enter_context(temporary_database(self._folder))
            self.manage("load_sandbox")
            self.mail_server = stack.enter_context(self._start(*MANAGE, "run_mail_server"))
            self.web_server = stack.enter_context(self._start(*self._waitress()))
            self.cluster = stack.enter_context(self._start(*MANAGE, "qcluster"))
            self.mail_server.wait_until_it_says("Accepting mail")
            self.web_server.wait_until_it_says("Serving on")
            self.cluster.wait_until_it_says("running.")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def manage(self, *arguments: str) -> str:
        """Run one of the sandbox's commands to its end, and return what it said."""
        done = subprocess.run(
            [*MANAGE, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def mails(self) -> list[EmailMessage]:
        """Everything that the mail server has taken, in order."""
        entries = self._maildir.entries(limit=self._maildir.count())
        return [self._maildir.message(entry) for entry in reversed(entries)]

    def said(self) -> str:
        """Return what all processes have said, for the report of a failed test."""
        processes = (self.web_server, self.cluster, self.mail_server)
        return "\n".join(f"--- {process}\n{process.said()}" for process in processes)

    def _start(self, *command: str) -> Process:
        return Process(*command, env=self.environment)

    def _waitress(self) -> tuple[str, ...]:
        return (
            sys.executable,
            "-m",
            "waitress",
            f"--listen=127.0.0.1:{self._web_port}",
            "sandbox.wsgi:application",
        )


def by_recipient(mails: Sequence[EmailMessage]) -> dict[str, EmailMessage]:
    """Return mails by the address, in small letters, that each was delivered to; nobody may have got two."""
    found: dict[str, EmailMessage] = {}
    for mail in mails:
        recipient = str(mail["Delivered-To"]).lower()
        assert recipient not in found, f"{recipient} got two mails."
        found[recipient] = mail
    return found
