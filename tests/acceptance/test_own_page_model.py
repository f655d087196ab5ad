"""A project that has put a base page of its own in the place of Wagtail's can mail, too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.processes import REPOSITORY

pytestmark = [pytest.mark.any_database, pytest.mark.xdist_group("own page model")]

SETTINGS = "tests.own_page_settings"
#: Making, listing, editing, copying and deleting lists, and that no page shows them to the public.
SCREENS = ["test_list_screens.py", "test_deleting_lists.py", "test_list_privacy.py"]


def run(*arguments: str) -> str:
    """Run Python in such a project; return what it printed."""
    # What this process shares with its children is about a project with Wagtail's own page.
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("MASSMAIL_", "PYTEST_"))
    }
    environment = {**inherited, "DJANGO_SETTINGS_MODULE": SETTINGS, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_it_checks_without_complaint() -> None:
    assert "no issues" in run("django", "check", "--fail-level", "WARNING")


def test_our_migrations_make_the_models_that_it_has() -> None:
    assert "No changes" in run("django", "makemigrations", "--check", "--dry-run", "massmail_plugin")


def test_its_lists_work_like_everybodys() -> None:
    modules = [f"tests/integration/audience/{name}" for name in SCREENS]
    not_these = "not inside and not root"
    report = run("pytest", f"--ds={SETTINGS}", "-q", "-p", "no:cacheprovider", "-k", not_these, *modules)

    assert " passed" in report
    assert "failed" not in report
