"""An audience in figures, with a few names for each reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from massmail_plugin.audience.audiences import Audience, Candidate

#: How many people a summary names per reason.
_EXAMPLES = 10


@dataclass(slots=True)
class Summary:
    """How many get a mailing, and how many do not for which reason."""

    included: int = 0
    #: How many of those included are VIPs.
    vips: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    #: The first few of those left out, by reason.
    examples: dict[str, list[Candidate]] = field(default_factory=dict)

    @property
    def left_out_total(self) -> int:
        return sum(self.left_out.values())


def summary_of(audience: Audience) -> Summary:
    """Return the figures of a complete audience: one query for each reason."""
    left_out = Counter({reason: number for reason, number in audience.counts.items() if reason})
    people = audience.candidates.filter(excluded=False)
    examples = {reason: list(people.filter(reason=reason).order_by("pk")[:_EXAMPLES]) for reason in left_out}
    return Summary(audience.counts.get("", 0), audience.vips, left_out, examples)
