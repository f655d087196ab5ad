"""What README.md tells integrators to do, as data: tests do exactly that and nothing else."""

from __future__ import annotations

import re
import textwrap

from tests.processes import REPOSITORY

_BLOCK = re.compile(
    r"^(?P<indent> *)<!-- readme:(?P<name>\S+) -->\n *```\w*\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL
)


def readme_blocks() -> dict[str, str]:
    """Return the marked code blocks of README.md by name."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return {found["name"]: textwrap.dedent(found["code"]) for found in _BLOCK.finditer(text)}
