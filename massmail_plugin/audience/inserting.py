"""INSERT ... SELECT from a queryset: a million rows move inside the database and none through Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, router
from django.db.models import Model, QuerySet
from django.db.models.constants import OnConflict

_ALIAS = "massmail_"


def insert_select(
    model: type[Model], rows: QuerySet[Any], columns: Mapping[str, Any], *, ignore_conflicts: bool = False
) -> int:
    """Write a row of ``model`` for each of ``rows``, in their order. Returns how many were written.

    ``columns``: an expression over ``rows`` for each field of ``model``; what is not named must have a default in the
    database. ``ignore_conflicts``: pass over what a unique constraint refuses.
    """
    alias = router.db_for_write(model)
    connection = connections[alias]
    # The host's model may have fields of the same names.
    named = {f"{_ALIAS}{field}": expression for field, expression in columns.items()}
    selected = rows.using(alias).annotate(**named).values_list(*named)
    try:
        select, params = selected.query.get_compiler(alias).as_sql()
    except EmptyResultSet:
        # Django sees without asking that there are none: "in" an empty list.
        return 0
    conflict = OnConflict.IGNORE if ignore_conflicts else None
    fields: list[Any] = [model._meta.get_field(field) for field in columns]
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.column) for field in fields)
    statement = connection.ops.insert_statement(on_conflict=conflict)
    suffix = connection.ops.on_conflict_suffix_sql(fields, conflict, [], [])
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} {quote(model._meta.db_table)} ({names}) {select} {suffix}", params)
        return cursor.rowcount
