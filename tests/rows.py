"""Brings the tests' database back to what the migrations have written, in a few milliseconds.

Django's own way (empty every table, then load a serialised copy object by object) takes a second for each test that
commits, and there are many of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.test import TransactionTestCase

_KEPT = "kept_{}"


def restore_after_each_test() -> None:
    """Keep what the database holds now; every test that commits ends with exactly these rows again."""
    quote = connection.ops.quote_name
    tables = connection.introspection.django_table_names(only_existing=True)
    with connection.cursor() as cursor:
        kept = [name for name in tables if _has_rows(name)]
        for name in kept:
            cursor.execute(f"CREATE TABLE {quote(_KEPT.format(name))} AS SELECT * FROM {quote(name)}")
    statements = [f"DELETE FROM {quote(name)}" for name in tables]
    statements += [f"INSERT INTO {quote(name)} SELECT * FROM {quote(_KEPT.format(name))}" for name in kept]

    def restore(self: TransactionTestCase) -> None:
        with _in_any_order(), transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    TransactionTestCase._fixture_teardown = restore  # type: ignore[method-assign]


def _has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")
        return cursor.fetchone() is not None


@contextmanager
def _in_any_order() -> Iterator[None]:
    """Let rows go before those that name them. SQLite and PostgreSQL look at the end of the transaction only."""
    if connection.vendor != "mysql":
        yield
        return
    with connection.constraint_checks_disabled():
        yield
