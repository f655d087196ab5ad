"""What is wrong with a template, said so that an editor can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _


class Severity(StrEnum):
    """Whether a problem stops a mailing."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. Lines and columns count from 1, inside the text that ``where`` names."""

    where: str
    message: str
    line: int | None = None
    column: int | None = None
    excerpt: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = (
            _("{where}, line {line}").format(where=self.where, line=self.line)
            if self._has_lines
            else self.where
        )
        return f"{place}: {self.message}" if place and not self._names_its_place else self.message

    @property
    def _names_its_place(self) -> bool:
        """Whether the message alone says where: "The subject is empty." needs no "Subject:" before it."""
        return self.column is None and self.where.casefold() in self.message.casefold()

    @property
    def _has_lines(self) -> bool:
        return self.line is not None and self.line > 1


class ContentError(Exception):
    """The template cannot be compiled; ``problems`` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = list(problems)


def at_offset(
    where: str, message: str, text: str, offset: int, severity: Severity = Severity.ERROR
) -> Problem:
    """Return a problem at character ``offset`` of ``text``, with its line as the excerpt."""
    offset = max(0, min(offset, len(text)))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : end if end >= 0 else len(text)]
    column = offset - start
    return Problem(
        where, message, text.count("\n", 0, offset) + 1, column + 1, _around(line, column), severity
    )


def _around(line: str, column: int, width: int = 120) -> str:
    """Cut a long line to the part about ``column``."""
    if len(line) <= width:
        return line.strip()
    start = max(0, column - width // 2)
    cut = line[start : start + width].strip()
    return ("…" if start else "") + cut + ("…" if start + width < len(line) else "")
