"""Where the people of a mailing come from. Target lists and segments look alike to everything that chooses people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import QuerySet

from massmail_plugin.audience.members import records_of, types_in
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.consent import Scope


class Source(Protocol):
    """What a campaign goes to, or keeps out: a :class:`TargetListPage`, for example."""

    @property
    def consent_scope(self) -> Scope:
        """Its name in the ledger and in consent, "list:7" for example, and its title."""

    @property
    def pk(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Part:
    """The people of one type in a source."""

    recipient_type: RecipientType
    #: Records of the host's model; each once, in no order.
    records: QuerySet[Any]


def parts_of(source: Source) -> list[Part]:
    """Return who is in ``source`` now, by type in the order of their keys; nothing is read from the host's tables."""
    if isinstance(source, TargetListPage):
        return [Part(one, records_of(source, one)) for one in types_in(source)]
    raise TypeError(f"{type(source).__name__} is no source of people.")


def scopes_of(sources: Iterable[Source]) -> list[Scope]:
    """Return what somebody can leave who gets a mailing to ``sources``."""
    return [source.consent_scope for source in sources]
