"""A Wagtail project as its owner would have it: made by Wagtail, in a virtual environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.acceptance.readme import readme_blocks
from tests.processes import REPOSITORY

#: What the wheel is built from; a copy, because setuptools leaves its own traces beside the sources.
_SOURCES = ("massmail_plugin", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")

CONTACT_MODEL = """
from django.db import models


class Contact(models.Model):
    name = models.CharField(max_length=100)
    email = models.CharField(max_length=320)
    city = models.CharField(max_length=100, blank=True)
"""


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the sources, as for a release."""
    sources = folder / "sources"
    for name in _SOURCES:
        original = REPOSITORY / name
        if original.is_dir():
            shutil.copytree(original, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            sources.mkdir(exist_ok=True)
            shutil.copy(original, sources)
    _run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(sources), cwd=folder)
    [wheel] = (folder / "dist").glob("*.whl")
    return wheel


class NewProject:
    """The project "shop" with an app "crm" that has a model Contact."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "shop"
        self.python = str(folder / "venv" / "bin" / "python")
        self._bin = folder / "venv" / "bin"
        venv.create(folder / "venv", with_pip=True)
        self.folder.mkdir()

    def install(self, wheel: Path) -> None:
        self.run("-m", "pip", "install", "--quiet", str(wheel))

    def start(self) -> None:
        """Make the project as Wagtail's tutorial does, with an app of its owner's."""
        _run(str(self._bin / "wagtail"), "start", "shop", ".", cwd=self.folder)
        self.manage("startapp", "crm")
        (self.folder / "crm" / "models.py").write_text(CONTACT_MODEL)
        self._append("shop/settings/base.py", 'INSTALLED_APPS += ["crm"]')
        self.manage("makemigrations", "crm")

    def follow_readme(self) -> None:
        """Apply steps 2 to 4 of README.md, "Add it to your Wagtail project"."""
        blocks = readme_blocks()
        self._append("shop/settings/base.py", blocks["settings"])
        self._insert_above_wagtails_pages(blocks["urls"].strip())
        (self.folder / "crm" / "massmail.py").write_text(blocks["massmail.py"])

    def run(self, *arguments: str) -> str:
        return _run(self.python, *arguments, cwd=self.folder)

    def manage(self, *arguments: str) -> str:
        return self.run("manage.py", *arguments)

    def _append(self, name: str, text: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write(f"\n{text}\n")

    def _insert_above_wagtails_pages(self, line: str) -> None:
        urls = self.folder / "shop" / "urls.py"
        before, wagtails, after = urls.read_text().partition('    path("", include(wagtail_urls)),')
        assert wagtails, "Wagtail's project template has changed."
        urls.write_text(f"{before}    {line}\n{wagtails}{after}")


def clean_environment(**variables: str) -> dict[str, str]:
    """Return an environment in which nothing of this repository can be imported."""
    unwanted = ("PYTHONPATH", "DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTHONUNBUFFERED": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}


def _run(*command: str, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
