"""The database's clock: the one that all workers share, whatever their machines believe."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

from massmail_plugin.mailings.statements import Slot

_EXPRESSIONS = {
    # Not now(), which is when the transaction began.
    "postgresql": "clock_timestamp()",
    # Not CURRENT_TIMESTAMP, which is in the server's or the session's time zone.
    "mysql": "UTC_TIMESTAMP(6)",
}


def now() -> dt.datetime:
    """Return the present time by the database's clock; SQLite has no other than this machine's."""
    expression = _EXPRESSIONS.get(connection.vendor)
    if expression is None:
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}")
        (moment,) = cursor.fetchone()
    return moment if timezone.is_aware(moment) else moment.replace(tzinfo=dt.UTC)


class Now(Slot):
    """The same time within a statement, which saves asking for it: a slot "now" where there is no such clock."""

    def __init__(self) -> None:
        super().__init__("now", DateTimeField())

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        expression = _EXPRESSIONS.get(connection.vendor)
        return (expression, []) if expression else super().as_sql(compiler, connection)


def later(seconds: float) -> Any:
    """Return the expression of a time so much later than :class:`Now`: a slot "later" where there is no such clock.

    SQLite would call back into Python for each row.
    """
    if connection.vendor in _EXPRESSIONS:
        return ExpressionWrapper(Now() + dt.timedelta(seconds=seconds), output_field=DateTimeField())
    return Slot("later", DateTimeField())
