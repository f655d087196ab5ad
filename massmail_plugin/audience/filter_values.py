"""Which parameters the filters of a form have read, and which of them they have ignored.

A filter that ignores what it was given shows more people than somebody meant, without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.validators import EMPTY_VALUES
from django.forms import BaseForm
from django.http import QueryDict

#: How Django's own widget for "yes, no or any" says "any".
_ANY = {"unknown"}


class WatchedQuery(QueryDict):
    """Query parameters that remember which of them were read."""

    def __init__(self, query: QueryDict) -> None:
        self.read: set[str] = set()
        super().__init__(query.urlencode())
        # Filling it looks into it as well.
        self.read.clear()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.read.add(str(key))
        return super().__contains__(key)

    def getlist(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().getlist(key, default)

    def copy(self) -> QueryDict:  # type: ignore[override]
        # What is read from a copy is not seen here, and so counts as not understood.
        return QueryDict(self.urlencode(), mutable=True)

    def given(self, names: Iterable[str]) -> bool:
        """Return whether any of ``names`` has a value that is not blank."""
        names = set(names)
        return any(value.strip() for name, values in self.lists() if name in names for value in values)


@dataclass(frozen=True, slots=True)
class FilterValue:
    """One filter of a form, and what it made of the parameters."""

    label: str
    #: The parameters that it reads, of those that there are.
    names: set[str]
    value: Any
    #: It was given something and takes it for nothing.
    is_ignored: bool


def read_filters(form: BaseForm, query: WatchedQuery) -> list[FilterValue]:
    """Return what each field of ``form``, which is valid and bound to ``query``, has read."""
    values = []
    for name, form_field in form.fields.items():
        # The widget alone knows under which names it reads: a range has two, with suffixes.
        query.read.clear()
        form_field.widget.value_from_datadict(query, {}, form.add_prefix(name))
        names = query.read & set(query.keys())
        value = form.cleaned_data.get(name)
        is_ignored = bool(
            value in EMPTY_VALUES
            and query.given(names)
            and {text for each in names for text in query.getlist(each)} != _ANY
        )
        values.append(FilterValue(str(form[name].label), names, value, is_ignored))
    return values
