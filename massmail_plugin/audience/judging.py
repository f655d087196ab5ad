"""The second half of working out an audience: rules, each one statement over everybody who is still to get a mail."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from django.db import connections, router
from django.db.models import Case, Exists, F, OuterRef, QuerySet, When, Window
from django.db.models.functions import FirstValue, RowNumber

from massmail_plugin.audience.audiences import Audience, Candidate
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.recipients.erased import erased_keys, has_erased
from massmail_plugin.recipients.leaving import opt_outs_of
from massmail_plugin.recipients.models import EmailAddress

#: Leaves out some of those whom no rule before it has left out. Returns whether it has looked at all of them; if not,
#: it goes on after ``Audience.looked_at`` in a step of its own.
Rule = Callable[[Audience], bool]
Pick = Callable[[QuerySet[Candidate]], QuerySet[Candidate]]

_CHUNK = 500
#: Addresses of one step whose hashes are asked for: SQLite has one lock for all writers, and mails wait for it, too.
HASHED_AT_ONCE = 5000

#: What a row says of somebody who was erased, besides the number of the record.
NAMELESS = {"name": "", "email": "", "envelope": "", "key": "", "detail": ""}


def rule(reason: Reason, pick: Pick, detail: str = "") -> Rule:
    """Return a rule that leaves out whom ``pick`` picks, in one statement."""

    def apply(audience: Audience) -> bool:
        _update(pick(_still_in(audience)), reason=reason.value, detail=detail[:255])
        return True

    return apply


def rules_of(audience: Audience) -> list[Rule]:
    """Return the rules of every audience in their order: the first one that fits is the reason that people read."""
    return [
        _leave_out_erased,
        *(one for key, title in audience.excluded for one in _excluded_by(audience, key, title)),
        _flagged(Reason.COMPLAINED, complained_since__isnull=False),
        _flagged(Reason.OPTED_OUT, opted_out_since__isnull=False),
        _flagged(Reason.INVALID, invalid_since__isnull=False),
        # Who has said no to one of the lists does not hear from it because another list was added.
        rule(Reason.OPTED_OUT_LIST, with_address(_who_left(audience))),
    ]


def with_address(keys: QuerySet[Any]) -> Pick:
    """Return a pick of those whose address is one of ``keys``."""
    return lambda people: people.filter(key__in=keys)


def leave_out_repeated(audience: Audience) -> None:
    """The last rule: one mail to an address. Marks all that share an address with one before, whatever became of it.

    Somebody else's record does not take the place of one's own.
    """
    people = audience.candidates.filter(excluded=False).exclude(key="")
    foreign = Case(When(reason=Reason.NOT_YOURS, then=1), default=0)
    by_address: dict[str, Any] = {"partition_by": F("key"), "order_by": [foreign.asc(), F("id").asc()]}
    numbered = people.annotate(number=Window(RowNumber(), **by_address))
    if not _update(numbered.filter(number__gt=1), is_repeated=True):
        return
    named = people.annotate(
        number=Window(RowNumber(), **by_address), first=Window(FirstValue("name"), **by_address)
    ).filter(number__gt=1)
    twins = named.filter(reason="").values_list("pk", "first").iterator(chunk_size=_CHUNK)
    while chunk := list(islice(twins, _CHUNK)):
        rows = [Candidate(pk=pk, reason=Reason.DUPLICATE, detail=first) for pk, first in chunk]
        Candidate.objects.bulk_update(rows, ["reason", "detail"])


def _still_in(audience: Audience) -> QuerySet[Candidate]:
    people: QuerySet[Candidate] = audience.candidates.filter(excluded=False, reason="")
    return people


def _leave_out_erased(audience: Audience) -> bool:
    """Only Python can compute the keyed hashes. Nothing that names these people is copied any further."""
    if not has_erased():
        return True
    rest = audience.candidates.exclude(key="").order_by("pk").values_list("pk", "key")
    some = list(rest.filter(pk__gt=audience.looked_at)[:HASHED_AT_ONCE])
    erased = erased_keys(key for _pk, key in some)
    gone = [pk for pk, key in some if key in erased]
    for start in range(0, len(gone), _CHUNK):
        people = Candidate.objects.filter(pk__in=gone[start : start + _CHUNK])
        people.update(reason=Reason.ERASED, **NAMELESS)
    if some:
        audience.looked_at = some[-1][0]
    return len(some) < HASHED_AT_ONCE


def _excluded_by(audience: Audience, source: str, title: str) -> list[Rule]:
    """By record, and by address under any record."""
    there = audience.candidates.filter(excluded=True, source=source)
    same = there.filter(recipient_type=OuterRef("recipient_type"), object_id=OuterRef("object_id"))
    return [
        rule(Reason.EXCLUDED, lambda people: people.filter(Exists(same)), title),
        rule(Reason.EXCLUDED, with_address(there.exclude(key="").values("key")), title),
    ]


def _flagged(reason: Reason, **flag: Any) -> Rule:
    return rule(reason, with_address(EmailAddress.objects.filter(**flag).values("key")))


def _who_left(audience: Audience) -> QuerySet[Any]:
    return opt_outs_of(audience.source_titles, audience.live_scopes).values("address__key")


def _update(picked: QuerySet[Candidate], **values: Any) -> int:
    """Update the rows that a query finds, in one statement. Returns their number.

    MariaDB refuses to read the table that it updates, but for a derived table.
    """
    alias = router.db_for_write(Candidate)
    connection = connections[alias]
    quote = connection.ops.quote_name
    select, params = picked.using(alias).order_by().values("id").query.get_compiler(alias).as_sql()
    table, key = quote(Candidate._meta.db_table), quote("id")
    fields: list[Any] = [Candidate._meta.get_field(name) for name in values]
    sets = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    picked_key = quote("picked")
    rows = f"SELECT {picked_key}.{key} FROM ({select}) AS {picked_key}"  # noqa: S608
    statement = f"UPDATE {table} SET {sets} WHERE {key} IN ({rows})"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values.values(), *params])
        return int(cursor.rowcount)
