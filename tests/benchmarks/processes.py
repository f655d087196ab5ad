"""Processes of a benchmark: each gets ready, is let go, and tells its figures as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

REPOSITORY = Path(__file__).resolve().parent.parent.parent


class Contestant:
    """A process that gets ready, waits for a line, works, and prints its figures."""

    def __init__(self, module: str, *arguments: object, environment: dict[str, str] | None = None) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)],
            cwd=REPOSITORY,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        if self._next_line() != "ready":
            raise RuntimeError(f"{self._module} did not get ready.")

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return what it tells next."""
        told: dict[str, Any] = json.loads(self._next_line())
        return told

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def _next_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} has ended with status {self._process.wait()}.")
        return line.strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()


def race(contestants: Sequence[Contestant]) -> list[dict[str, Any]]:
    """Let them all go at one moment when all are ready. Returns their figures."""
    for contestant in contestants:
        contestant.wait_until_ready()
    for contestant in contestants:
        contestant.go()
    return [contestant.hear() for contestant in contestants]


def get_ready() -> None:
    """Called by a contestant: say so, and return when it may go."""
    print("ready", flush=True)
    if not sys.stdin.readline():
        sys.exit("The benchmark has ended.")


def tell(**figures: Any) -> None:
    """Called by a contestant at its end."""
    print(json.dumps(figures), flush=True)
