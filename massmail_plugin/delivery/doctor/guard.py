"""The files beside the database: journal and epoch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from massmail_plugin.delivery.doctor.findings import Finding, note, problem, warning
from massmail_plugin.delivery.keeping import epoch as epochs
from massmail_plugin.delivery.keeping import replaying
from massmail_plugin.delivery.keeping.local_folder import local_folder


def journals() -> Iterator[Finding]:
    """Outcomes are written down there before they go to the database."""
    remedy = 'make room, or set MASSMAIL["JOURNAL_DIR"] to a folder that only workers may write'
    try:
        folder = local_folder()
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"Can anything be written?")
        unread, broken = replaying.unread(), replaying.put_aside()
    except OSError as error:
        yield problem("journal", f"nothing can be written down: {error}", remedy)
        return
    if broken:
        says = f"{len(broken)} could not be read, for example {broken[0]}"
        yield warning("journal", says, "look for the mails in doubt on the mailings' pages, then delete them")
    if unread:
        yield note("journal", f"{len(unread)} of workers that have died; the next tick reads them")
    if not (broken or unread):
        yield Finding("journal", str(folder))


def epoch() -> Iterator[Finding]:
    doubtful = epochs.doubt()
    if doubtful:
        remedy = (
            "the same mails, and nothing else uses them? massmail_confirm --go-on. "
            "A backup was restored? massmail_confirm --pause. A copy for tests? Leave it so"
        )
        yield problem("epoch", f"nothing is sent: {doubtful.get_doubt_display()}", remedy)
    elif epochs.read_note() is None:
        yield note("epoch", "this machine has no note about the database yet; its first turn makes one")
    else:
        yield Finding("epoch", "this is the database that this machine knows")
