"""Audiences worked out for a test."""

from __future__ import annotations

from collections.abc import Sequence

from massmail_plugin.audience.audiences import Audience, Candidate
from massmail_plugin.audience.sources import Source
from massmail_plugin.audience.working_out import open_audience, work_out


def worked_out(sources: Sequence[Source], excluded: Sequence[Source] = ()) -> Audience:
    """Return the complete audience of a mailing to ``sources``."""
    audience = open_audience("test", sources, excluded)
    assert work_out(audience)
    return audience


def candidates_of(sources: Sequence[Source], excluded: Sequence[Source] = ()) -> list[Candidate]:
    """Return everybody in ``sources`` with the verdict, in order."""
    return list(worked_out(sources, excluded).candidates.filter(excluded=False).order_by("pk"))
