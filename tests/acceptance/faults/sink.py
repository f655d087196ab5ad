"""A mail server whose files are the truth: each mail is on the disk before its "250"."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from massmail_plugin.delivery.mails.messages import delivery_of
from tests.smtp_orders import PATIENCE_SECONDS
from tests.smtp_server import ReceivedMail, SmtpServer

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Copy:
    """One copy of a mail that the server has."""

    delivery: int
    recipient: str
    file: str


@dataclass
class Sink(SmtpServer):
    """The tests' mail server, with everything that it is told to do, and a file for each mail."""

    folder: Path = Path()
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def keep(self, mail: ReceivedMail) -> None:
        path = self.folder / f"{len(self.mails):06}.eml"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            os.write(handle, f"X-Recipient: {' '.join(mail.recipients)}\r\n".encode() + mail.content)
            os.fsync(handle)
        finally:
            os.close(handle)
        with self._changed:
            super().keep(mail)
            self._changed.notify_all()

    def wait_for(self, mails: int) -> None:
        """Return when so many mails have come in all."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.mails) >= mails, PATIENCE_SECONDS)
        assert arrived, f"Only {len(self.mails)} of {mails} mails have come."

    def copies(self) -> list[Copy]:
        """Return all copies that are on the disk."""
        return [self._read(path) for path in sorted(self.folder.glob("*.eml"))]

    def _read(self, path: Path) -> Copy:
        content = path.read_bytes()
        recipient = content.partition(b"\r\n")[0].removeprefix(b"X-Recipient: ").decode()
        found = _MESSAGE_ID.search(content)
        delivery = delivery_of(found.group(1).decode()) if found else None
        assert delivery is not None, f"{path.name} to {recipient} has no Message-ID of ours."
        return Copy(delivery, recipient, path.name)
