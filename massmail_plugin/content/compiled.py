"""A mail that is compiled once and personalised many times."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from django.utils import timezone

from massmail_plugin.content.headers import clean_header
from massmail_plugin.content.language import LiquidError
from massmail_plugin.content.parts import Filled, Part

#: Characters of a link whose clicks can be counted; a longer one is left as it is.
LINK_LIMIT = 2000
#: Characters of one merged value that are used; more is a fault in the host's data.
VALUE_LIMIT = 5000
_NOT_FOR_MAIL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\\ud800-\\udfff]")


@dataclass(frozen=True, slots=True)
class CompiledContent:
    """Subject, HTML and text as sources in the merge language, frozen for one run."""

    subject: str
    html: str
    text: str
    #: Destinations of tracked links; the HTML holds ``{{ links[0] }}``, ``{{ links[1] }}``, ...
    links: tuple[str, ...] = ()
    #: Names of the campaign's tracking URLs that the mail uses, ``{{ tracking.<slug> }}``.
    tracking_slugs: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CompiledContent:
        data = json.loads(text)
        return cls(
            subject=data["subject"],
            html=data["html"],
            text=data["text"],
            links=tuple(data["links"]),
            tracking_slugs=tuple(data["tracking_slugs"]),
        )


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """One person's mail."""

    #: One clean header line.
    subject: str
    html_part: Filled
    text_part: Filled

    @property
    def html(self) -> str:
        return str(self.html_part)

    @property
    def text(self) -> str:
        return str(self.text_part)


class RenderFailed(Exception):
    """The mail cannot be made for this person; the others are not concerned."""


class Renderer:
    """Renders one compiled content for any number of recipients.

    Variables: ``contact`` (``RecipientType.merge_values``), ``unsubscribe_url``, ``preferences_url``, ``view_url``,
    ``open_url``, ``links`` (one URL per tracked link), ``tracking`` (URL per slug), ``sender`` and ``campaign``
    (dictionaries), ``today`` (a date; today in the current time zone if left out).
    """

    def __init__(self, content: CompiledContent) -> None:
        self._subject = Part(content.subject, escape=False)
        self._html = Part(content.html, escape=True)
        self._text = Part(content.text, escape=False)

    def render(self, variables: Mapping[str, Any]) -> RenderedMail:
        """Return the mail for one recipient. Raises :class:`RenderFailed`."""
        values = {"today": _today(int(time.time()) // 60, timezone.get_current_timezone()), **variables}
        for name in ("contact", "sender", "campaign"):
            values[name] = _clean(values.get(name) or {})
        context = self._html.context(values)
        try:
            return RenderedMail(
                subject=clean_header(str(self._subject.fill(context))),
                html_part=self._html.fill(context),
                text_part=self._text.fill(context),
            )
        except (LiquidError, ValueError, TypeError, ArithmeticError) as error:
            raise RenderFailed(str(error)) from error


@lru_cache(maxsize=8)
def _today(_minute: int, zone: dt.tzinfo) -> dt.date:
    # All zones there are differ by whole minutes: no day begins within one.
    return timezone.localdate(timezone=zone)


def _clean(value: Any) -> Any:
    """Make a host's value fit for a mail: plain text of bounded length, local times, None for a blank text."""
    if value is None:
        return value
    if type(value) is str:
        return _clean_text(value)
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value[:100]]
    if isinstance(value, dt.datetime):
        return timezone.localtime(value) if timezone.is_aware(value) else value
    if isinstance(value, bool | int | float | dt.date):
        return value
    return _clean_text(str(value))


def _clean_text(value: str) -> str | None:
    text = _NOT_FOR_MAIL.sub(" ", value[:VALUE_LIMIT])
    return text if text.strip() else None
