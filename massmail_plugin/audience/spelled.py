"""Rows found by their address, however it is spelled in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from django.db import connections
from django.db.models import CharField, F, Func, IntegerField, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Collate, Length, Lower, Trim

from massmail_plugin.recipients.addresses import key_of

_CHUNK = 500
#: Python takes all of them off an address; the databases' TRIM only takes blanks.
_WHITE = "\t\n\r\v\f\x1c\x1d\x1e\x1f"


class _Octets(Func):
    """The length of a text in octets, by the name that each database has for it."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **context)


def with_address(rows: QuerySet[Any], path: str, keys: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Return the primary keys of those of ``rows`` whose address at ``path`` is one of ``keys``, as sets.

    ``keys`` are normalised addresses: a queryset of one column. The database compares what is plain ASCII; the other
    addresses are read here and now.
    """
    keyed = rows.order_by().annotate(massmail_key=_written(rows, path))
    sets = [keyed.filter(massmail_key__in=keys).values("pk")]
    if unusual := list(_unusual_in(rows, path, keys)):
        sets.append(rows.order_by().filter(pk__in=unusual).values("pk"))
    return sets


def with_key(rows: QuerySet[Any], path: str, key: str) -> Iterator[Any]:
    """Yield the primary keys of those of ``rows`` whose address at ``path`` is ``key``, in their order."""
    rows, is_unusual = _measured(rows, path)
    perhaps = rows.annotate(massmail_key=_written(rows, path)).filter(
        Q(is_unusual, massmail_key=key, _connector=Q.OR)
    )
    for pk, email in perhaps.order_by("pk").values_list("pk", path):
        if key_of(email) == key:
            yield pk


def _written(rows: QuerySet[Any], path: str) -> Combinable:
    written = Lower(Trim(_by_letters(rows, path)))
    return Coalesce(written, Value(""), output_field=CharField())


def _measured(rows: QuerySet[Any], path: str) -> tuple[QuerySet[Any], Q]:
    """Return ``rows`` with what tells of those whose address a database cannot bring into the form of a key."""
    white = [Q(**{f"{path}__contains": one}) for one in _WHITE]
    text = Cast(F(path), CharField())
    measured = rows.order_by().annotate(massmail_octets=_Octets(text), massmail_letters=Length(text))
    return measured, Q(*white, ~Q(massmail_octets=F("massmail_letters")), _connector=Q.OR)


def _unusual_in(rows: QuerySet[Any], path: str, keys: QuerySet[Any]) -> Iterator[Any]:
    """Yield the primary keys of those who are unusual, and whose address is one of ``keys``."""
    measured, is_unusual = _measured(rows, path)
    found = measured.filter(is_unusual).values_list("pk", path).iterator(chunk_size=_CHUNK)
    while chunk := list(islice(found, _CHUNK)):
        by_pk = {pk: key for pk, email in chunk if (key := key_of(email))}
        wanted = _those_among(keys, by_pk)
        yield from (pk for pk, key in by_pk.items() if key in wanted)


def _those_among(keys: QuerySet[Any], by_pk: Mapping[Any, str]) -> set[str]:
    (column,) = keys.query.values_select
    return set(keys.filter(**{f"{column}__in": set(by_pk.values())}).values_list(column, flat=True))


def _by_letters(rows: QuerySet[Any], path: str) -> Combinable:
    # Keys are lower-case ASCII by ASCII's rules, whatever the column's are: "I" has no dot in Turkish.
    is_postgresql = connections[rows.db].vendor == "postgresql"
    return Collate(path, "C") if is_postgresql else F(path)
