"""Working out an audience, step by step. Each step is committed, so that a kill costs one step and no more.

Any number of workers may go on with the same audience: a step is done under the lock of its row, together with the
move to the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Count, Q
from django.utils import timezone

from massmail_plugin.audience.audiences import Audience, Candidate, Stage
from massmail_plugin.audience.collecting import Mailable, Slice, collect, everybody, read_address, slices
from massmail_plugin.audience.judging import Rule, leave_out_repeated, rules_of
from massmail_plugin.audience.sources import Source, live_scopes_of, load_source

_READ_AT_ONCE = 500


class SourceGone(Exception):
    """A source was deleted while its people were being collected; ``str()`` is its title."""


def open_audience(
    subject: str,
    sources: Sequence[Source],
    excluded: Sequence[Source] = (),
    *,
    terms: dict[str, Any] | None = None,
    traces: Sequence[Any] = (),
) -> Audience:
    """Return a new audience, with nothing worked out yet, in place of an older one of the same subject.

    ``terms`` and ``traces`` are kept for whoever looks it up: see :class:`Audience`.
    """
    kept = {"sources": titles_of(sources), "excluded": titles_of(excluded), "traces": list(traces)}
    with transaction.atomic():
        forget(subject)
        return Audience.objects.create(subject=subject, terms=terms or {}, **kept)


@transaction.atomic
def forget(subject: str) -> None:
    """Delete an audience, without reading its rows."""
    old = Audience.objects.select_for_update().filter(subject=subject).first()
    if old is not None:
        old.candidates.all()._raw_delete(old.candidates.db)
        old.delete()


def work_out(
    audience: Audience,
    *,
    mailable: Mailable = everybody,
    more: Sequence[Rule] = (),
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Go on until the audience is complete or ``stop()`` says so. Returns whether it is complete.

    ``mailable``: which records of a type the sender may mail at all. ``more``: rules beside those of every audience.
    Raises :class:`SourceGone`, ``UnusableSegment``, and ``Audience.DoesNotExist`` if somebody has discarded it.
    """
    steps: dict[str, Callable[[Audience], None]] = {
        Stage.PLANNING: _plan,
        Stage.COLLECTING: lambda one: _collect(one, mailable),
        Stage.READING: _read,
        Stage.JUDGING: lambda one: _judge(one, [*rules_of(one), *more]),
    }
    while not audience.is_complete:
        if stop():
            return False
        with transaction.atomic():
            locked = Audience.objects.select_for_update().get(pk=audience.pk)
            if not locked.is_complete:
                steps[locked.stage](locked)
                locked.save()
        audience.refresh_from_db()
    return True


def _plan(audience: Audience) -> None:
    # The excluded first: of what they hold only addresses count.
    audience.plan = [
        one
        for sources, excluded in ((audience.excluded, True), (audience.sources, False))
        for key, title in sources
        for one in slices(_source(key, title), excluded=excluded)
    ]
    _enter(audience, Stage.COLLECTING)


def _collect(audience: Audience, mailable: Mailable) -> None:
    if audience.position >= len(audience.plan):
        _tell_planner()
        _enter(audience, Stage.READING)
        return
    one = Slice(**audience.plan[audience.position])
    titles = dict(audience.excluded if one.excluded else audience.sources)
    source = _source(one.source, titles[one.source])
    if not one.excluded:
        # Asked with each slice: a segment that is made live in the meantime brings people in, too.
        audience.live_scopes = sorted({*audience.live_scopes, *live_scopes_of([source])})
    collect(audience, one, source, mailable)
    audience.position += 1


def _tell_planner() -> None:
    """PostgreSQL knows nothing yet about rows of a minute ago, and would look a million of them up one by one."""
    connection = connections[router.db_for_write(Candidate)]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(Candidate._meta.db_table)}")


def _read(audience: Audience) -> None:
    unread = audience.candidates.filter(key="", reason="", pk__gt=audience.position).order_by("pk")
    found = list(unread[:_READ_AT_ONCE])
    for candidate in found:
        read_address(candidate)
    Candidate.objects.bulk_update(found, ["key", "envelope", "reason", "detail"])
    if len(found) < _READ_AT_ONCE:
        _enter(audience, Stage.JUDGING)
    else:
        audience.position = found[-1].pk


def _judge(audience: Audience, rules: Sequence[Rule]) -> None:
    if audience.position < len(rules):
        if rules[audience.position](audience):
            audience.position, audience.looked_at = audience.position + 1, 0
        return
    leave_out_repeated(audience)
    people = audience.candidates.filter(excluded=False)
    counts = people.order_by().values("reason").annotate(number=Count("pk"), vips=Count("pk", Q(vip=True)))
    audience.counts = {row["reason"]: row["number"] for row in counts}
    audience.vips = sum(row["vips"] for row in counts if not row["reason"])
    audience.completed_at = timezone.now()
    _enter(audience, Stage.COMPLETE)


def _enter(audience: Audience, stage: Stage) -> None:
    audience.stage, audience.position = stage, 0


def _source(key: str, title: str) -> Source:
    source = load_source(key)
    if source is None:
        raise SourceGone(title)
    return source


def titles_of(sources: Sequence[Source]) -> list[list[str]]:
    """Return the key and the title of each of ``sources``, as an audience keeps them."""
    return [[source.consent_scope.key, source.consent_scope.label] for source in sources]
