"""Which opt-outs of lists keep somebody out of a mailing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from massmail_plugin.recipients.models import ELSEWHERE, ConsentEvent, EmailAddress, ListOptOut

#: How people come into a list by their own wish. Who takes another no back, or is let in by a colleague, does not.
_OWN_WISH = (ConsentEvent.Method.SIGN_UP, ConsentEvent.Method.PREFERENCES)


def opt_outs_of(scopes: Iterable[Any], live: Iterable[Any] = ()) -> QuerySet[ListOptOut]:
    """Return the opt-outs that count for a mailing to ``scopes``, lists in which the segments ``live`` are live.

    Who left a segment is not brought back by it under the list's name, unless they have come into the list by their
    own wish since then. Who left everything and came back to some lists gets no others: each of ``scopes`` must
    have been opted in to since then. Scopes may be expressions that stand for their keys.
    """
    scopes, live = list(scopes), list(live)
    counts = Q(scope__in=scopes)
    for scope in scopes:
        counts |= Q(~Exists(_opted_in_to([scope])), scope=ELSEWHERE)
    if live:
        counts |= Q(~Exists(_opted_in_to(scopes).filter(method__in=_OWN_WISH)), scope__in=live)
    # Said once more as one condition, which an index answers: hardly anybody has any such row.
    return ListOptOut.objects.filter(counts, scope__in=[*scopes, *live, ELSEWHERE])


def _opted_in_to(scopes: list[Any]) -> QuerySet[ConsentEvent]:
    """The opt-ins to any of ``scopes`` since the opt-out that is asked about."""
    said = ConsentEvent.objects.filter(kind=ConsentEvent.Kind.OPT_IN, scope__in=scopes)
    return said.filter(address=OuterRef("address"), at__gte=OuterRef("since"))


def left_by(address: EmailAddress, scopes: Collection[str]) -> set[str]:
    """Return those of ``scopes`` from which this address gets nothing, whatever it says of everything."""
    left = dict(ListOptOut.objects.filter(address=address).values_list("scope", "since"))
    if ELSEWHERE not in left:
        return left.keys() & set(scopes)
    events = ConsentEvent.objects.filter(address=address, kind=ConsentEvent.Kind.OPT_IN, scope__in=scopes)
    chosen = set(events.filter(at__gte=left[ELSEWHERE]).values_list("scope", flat=True))
    return {scope for scope in scopes if scope in left or scope not in chosen}
