"""Where a field path of the host's leads: ``"company__name"`` from a contact to a column of its company."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP


@dataclass(frozen=True, slots=True)
class FieldPath:
    """What a path leads to that consists of database fields only."""

    #: The last field: a column, or a relation.
    field: Any
    #: Whether one record may have several values there, because a relation on the way leads to many.
    is_many: bool

    @property
    def target(self) -> type[Model] | None:
        """The model that the path ends at; None where it ends at a column."""
        return self.field.related_model if self.field.is_relation else None


def follow(model: type[Model], path: str) -> FieldPath | None:
    """Return where ``path`` leads from ``model``; None if a part of it is no field that SQL could read."""
    here: type[Model] | None = model
    field, is_many = None, False
    for part in path.split(LOOKUP_SEP):
        field = _field(here, part) if here is not None else None
        if field is None:
            return None
        here = field.related_model if field.is_relation else None
        is_many = is_many or bool(field.many_to_many or field.one_to_many)
    return FieldPath(field, is_many)


def _field(model: type[Model], name: str) -> Any:
    try:
        field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    # A generic foreign key leads to any table, and a composite key is several columns.
    is_readable = field.related_model is not None if field.is_relation else field.column is not None
    return field if is_readable else None
