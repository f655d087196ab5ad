"""A file system of a few megabytes, in a process that may mount (in a namespace of its own)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import connections

#: Bytes beside the database: for its log, and for a journal.
_ROOM = 6 << 20


class SmallDisk:
    """Mounted at ``folder`` when it is given the database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filling = folder / "filling"

    @contextmanager
    def holding_the_database(self) -> Iterator[None]:
        """Move the SQLite database here, and bring it back at the end."""
        settings = connections.settings["default"]
        home = Path(settings["NAME"])
        size = sum(path.stat().st_size for path in home.parent.glob(f"{home.name}*")) + _ROOM
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self._folder)], check=True)
        for path in home.parent.glob(f"{home.name}*"):
            shutil.copy(path, self._folder / path.name)
        settings["NAME"] = str(self._folder / home.name)
        yield
        # Its last connection brings the log into the database.
        connections.close_all()
        shutil.copy(settings["NAME"], home)

    def fill(self) -> None:
        """Leave no room for a single byte."""
        with self._filling.open("wb", buffering=0) as filling, suppress(OSError):
            while filling.write(bytes(4096)):
                pass
        print("The disk is full", flush=True)

    def make_room(self) -> None:
        self._filling.unlink()
