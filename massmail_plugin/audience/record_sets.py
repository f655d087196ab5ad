"""Sets of host records, by primary key, put together in SQL in the way that each database plans best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, router
from django.db.models import (
    BigIntegerField,
    CharField,
    F,
    ForeignKey,
    IntegerField,
    Model,
    Q,
    QuerySet,
    UUIDField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat, Replace, Substr


def record_pk(rows: QuerySet[Any], model: type[Model]) -> Combinable:
    """Return the ``object_id`` of ``rows``, which is text, as an expression that equals ``model``'s primary key.

    An AutoField cannot be cast to on PostgreSQL ("serial" is no type); a multi-table child's key is its
    parent's. Where the database has no type for UUIDs, Django stores 32 digits without hyphens.
    """
    field: Any = model._meta.pk
    while isinstance(field, ForeignKey):
        field = field.target_field
    if isinstance(field, IntegerField):
        return Cast("object_id", BigIntegerField())
    if isinstance(field, UUIDField):
        if not connections[rows.db].features.has_native_uuid_field:
            return Replace("object_id", Value("-"), Value(""), output_field=CharField())
        return Cast("object_id", UUIDField())
    return F("object_id")


def key_as_text(model: type[Model]) -> Combinable:
    """Return the primary key as ``str()`` writes it."""
    field: Any = model._meta.pk
    while field.is_relation:
        field = field.target_field
    if (
        isinstance(field, UUIDField)
        and not connections[router.db_for_write(model)].features.has_native_uuid_field
    ):
        parts = [
            Substr("pk", start, length) for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        ]
        hyphened = [piece for part in parts for piece in (Value("-"), part)][1:]
        return Concat(*hyphened, output_field=CharField())
    return Cast("pk", CharField(max_length=64))


def record_pks(rows: QuerySet[Any], model: type[Model]) -> QuerySet[Any]:
    """Return the primary keys that ``rows`` name in ``object_id``; all of them must be of ``model``.

    The cast is on our side so that the host's primary key index is used.
    """
    return rows.order_by().annotate(record_pk=record_pk(rows, model)).values("record_pk")


def in_any(sets: Sequence[QuerySet[Any]]) -> Q:
    """Return the condition that a record's primary key is in at least one of ``sets``.

    PostgreSQL joins with one subquery, and would compare each record with each row of two that are joined by OR.
    MariaDB looks each up in an index of its own, and would run a UNION anew for each record.
    """
    first, *others = sets
    if others and connections[first.db].vendor != "mysql":
        return Q(pk__in=first.union(*others))
    return Q(*[Q(pk__in=each) for each in sets], _connector=Q.OR)


def in_none(records: QuerySet[Any], sets: Sequence[QuerySet[Any]]) -> Q:
    """Return the condition that a record of ``records`` is in none of ``sets``.

    PostgreSQL compares each record with each row of a long NOT IN; a difference it sorts.
    """
    if connections[records.db].vendor == "postgresql":
        return Q(pk__in=records.order_by().values("pk").difference(*sets))
    return Q(*[~Q(pk__in=each) for each in sets])
