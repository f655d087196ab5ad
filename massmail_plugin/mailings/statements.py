"""Conditional updates that Django writes once and that run many times.

Between two mails of one connection there is less time than Django takes to put such a query together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Expression, Field, QuerySet
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

from massmail_plugin.mailings.states import DeliveryState, MailingState, movable


class Slot(Expression):
    """Stands in a query for a value that is known only when it runs."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return "%s", [self]

    def adapter(self) -> Callable[[Any], Any] | None:
        """Return what makes a value of Python's one of the database's; None for numbers and texts, which are both."""
        if isinstance(self.output_field, DateTimeField):
            return connection.ops.adapt_datetimefield_value
        return None


class Move:
    """``states.move`` with slots: the same conditional UPDATE of rows named by their numbers, ready to run.

    It is written for the database that is in use when it is made.
    """

    def __init__(self, queryset: QuerySet[Any], target: MailingState | DeliveryState, **fields: Any) -> None:
        query: Any = movable(queryset, target, by_number=True).query.chain(UpdateQuery)
        # The state last, as in ``states.move``.
        query.add_update_values({**fields, "state": target})
        self._sql, parameters = query.get_compiler(connection=connection).as_sql()
        self._parameters = list(parameters)
        #: What to fill in: position, name, and what makes the value one for this database.
        self._slots = [
            (position, slot.name, slot.adapter())
            for position, slot in enumerate(parameters)
            if isinstance(slot, Slot)
        ]

    def run(self, **values: Any) -> int:
        """Run it once. ``values`` are those of the slots, by name. Returns how many rows moved."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql, self._filled(values))
            return int(cursor.rowcount)

    def _filled(self, values: Mapping[str, Any]) -> list[Any]:
        parameters = self._parameters.copy()
        for position, name, adapt in self._slots:
            value = values[name]
            parameters[position] = adapt(value) if adapt else value
        return parameters


def slots(name: str, count: int, output_field: Field[Any, Any]) -> list[Slot]:
    """Return ``count`` slots for a list of values: ``name0``, ``name1``, ..."""
    return [Slot(f"{name}{number}", output_field) for number in range(count)]


def numbered(name: str, values: Iterable[Any]) -> dict[str, Any]:
    """Return ``values`` by the names of the slots that :func:`slots` has made for them."""
    return {f"{name}{number}": value for number, value in enumerate(values)}
