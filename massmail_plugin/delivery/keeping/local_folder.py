"""The folder of this machine in which workers keep what must outlive a database that is away or goes back in time."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from django.db import connection

from massmail_plugin import conf

#: Outlives a restart of the machine, unlike /tmp.
_USUAL = Path("/var/tmp")  # noqa: S108


def local_folder() -> Path:
    """Return the folder, made if it was not there. Raises ``OSError`` if it cannot be trusted or made."""
    chosen = conf.get("JOURNAL_DIR")
    folder = Path(chosen) if chosen else _default()
    folder.mkdir(mode=0o700, parents=bool(chosen), exist_ok=True)
    if not chosen:
        _refuse_strangers(folder)
    return folder


def database_key() -> str:
    """Return a short name of this process's database: other sites may use the same folder."""
    settings = connection.settings_dict
    parts = [connection.vendor, *(str(settings.get(key) or "") for key in ("HOST", "PORT", "NAME"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _default() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else "user"
    parent = _USUAL if _USUAL.is_dir() and os.access(_USUAL, os.W_OK) else Path(tempfile.gettempdir())
    return parent / f"massmail-{user}"


def _refuse_strangers(folder: Path) -> None:
    """Everybody may write to the parent: somebody else could have made the folder, or a link in its place."""
    found = folder.lstat()
    is_ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if not (stat.S_ISDIR(found.st_mode) and is_ours and not found.st_mode & 0o022):
        raise PermissionError(f"{folder} belongs to somebody else, or others may write to it")
