"""What the doctor finds: one line each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum


class Level(IntEnum):
    OK = 0
    #: Good to know.
    NOTE = 1
    #: Mail flows, and something needs somebody.
    WARNING = 2
    #: Mail does not flow, or will soon stop.
    PROBLEM = 3


@dataclass(frozen=True, slots=True)
class Finding:
    #: What was looked at, in a word or two.
    about: str
    says: str
    level: Level = Level.OK
    #: What to do; empty if nothing is wrong.
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it for ``--json``; the level by name, in small letters."""
        return {**asdict(self), "level": self.level.name.lower()}

    def __str__(self) -> str:
        level = self.level.name if self.level >= Level.WARNING else self.level.name.lower()
        line = f"{level:<8} {self.about:<15} {self.says}"
        return f"{line} -> {self.remedy}" if self.remedy else line


def counted(number: int, noun: str) -> str:
    """Return "1 mail", "2 mails"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def note(about: str, says: str, remedy: str = "") -> Finding:
    return Finding(about, says, Level.NOTE, remedy)


def warning(about: str, says: str, remedy: str) -> Finding:
    return Finding(about, says, Level.WARNING, remedy)


def problem(about: str, says: str, remedy: str) -> Finding:
    return Finding(about, says, Level.PROBLEM, remedy)
