"""Who is in a segment, and what its criteria say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from massmail_plugin.audience.filter_values import WatchedQuery
from massmail_plugin.audience.segments.criteria import (
    UnusableSegment,
    as_query,
    filters_of,
    hosts_filters,
    questions_of,
    type_of,
)
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.recipients import RecipientType


def people_of(segment: Segment) -> QuerySet[Any]:
    """Return who is in ``segment`` now: a queryset of the host's model, each record once, in no order.

    Nothing is read from the host's tables, but filters that choose among records look for the chosen ones.
    Raises :class:`UnusableSegment`.
    """
    recipient_type = type_of(segment)
    everybody = found = recipient_type.get_queryset()
    filterset = filters_of(segment)
    if filterset is not None:
        with hosts_filters(segment):
            found = filterset.qs
    for question in questions_of(segment):
        condition = question.condition(recipient_type, everybody)
        if condition is not None:
            found = found.filter(condition)
    return _each_once(recipient_type, found)


def why_unusable(segment: Segment) -> str:
    """Return why nobody can say who is in ``segment``, for people; empty: it can be used."""
    try:
        people_of(segment)
    except UnusableSegment as unusable:
        return str(unusable)
    return ""


def sentences_of(segment: Segment) -> list[str]:
    """Return what was chosen, a line for each criterion. Raises :class:`UnusableSegment`."""
    filterset = filters_of(segment)
    shown = _shown_values(segment, filterset.form) if filterset is not None else ()
    lines = [f"{label}: {value}" for label, value in shown]
    return [*lines, *filter(None, (question.sentence() for question in questions_of(segment)))]


def _each_once(recipient_type: RecipientType, records: QuerySet[Any]) -> QuerySet[Any]:
    """Return ``records`` as a queryset that can be filtered further, and in which nobody is twice."""
    query: Any = records.order_by().query
    if query.count_active_tables() > 1 or query.distinct or query.is_sliced or query.combinator:
        # A filter through a relation finds somebody as often as the relation does.
        return recipient_type.get_queryset().filter(pk__in=records.order_by().values("pk"))
    return records.order_by()


def _shown_values(segment: Segment, form: BaseForm) -> Iterator[tuple[str, str]]:
    for name, form_field in form.fields.items():
        query = WatchedQuery(as_query(segment.criteria))
        typed = form_field.widget.value_from_datadict(query, {}, name)
        if query.given(query.read):
            yield str(form[name].label), _shown(form_field, typed, form.cleaned_data[name])


def _shown(form_field: Any, typed: Any, value: Any) -> str:
    """Return a value as people read it: records and choices by their names, everything else as it was typed."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, slice):
        # The value of a range. Not as it was typed: one person's 3/4 is in March, and another's in April.
        start, stop = (
            _shown(form_field, "", end) if end is not None else "" for end in (value.start, value.stop)
        )
        return f"{start} – {stop}"
    if isinstance(value, datetime):
        return date_format(value, "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value)
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, QuerySet):
        return ", ".join(map(str, value))
    texts = [str(each) for each in (typed if isinstance(typed, list | tuple) else [typed]) if each]
    labels = dict(_flat_choices(getattr(form_field, "choices", ())))
    return ", ".join(labels.get(text, text) for text in texts or [str(value)])


def _flat_choices(choices: Any) -> Iterator[tuple[str, str]]:
    for value, label in choices:
        if isinstance(label, list | tuple):
            yield from _flat_choices(label)
        else:
            yield str(value), str(label)
