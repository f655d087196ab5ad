"""Who is in a segment. What was saved is read again by the forms that it was chosen in, each time.

Nothing that was chosen may get lost on the way: a filter that exists no more would let everybody in. So a segment
of which anything is not understood is unusable, and says why.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import QueryDict
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from massmail_plugin.audience.filter_values import FilterValue, WatchedQuery, read_filters
from massmail_plugin.audience.segments import behaviour
from massmail_plugin.audience.segments.models import Chosen, Segment
from massmail_plugin.recipients import RecipientType

logger = logging.getLogger("massmail_plugin.audience")


class UnusableSegment(Exception):
    """Nobody can say who is in a segment; ``str()`` says why, and what to do, for people."""


def people_of(segment: Segment) -> QuerySet[Any]:
    """Return who is in ``segment`` now: a queryset of the host's model, each record once, in no order.

    Nothing is read from the host's tables, but filters that choose among records look for the chosen ones.
    Raises :class:`UnusableSegment`.
    """
    recipient_type = _type_of(segment)
    everybody = recipient_type.get_queryset()
    found = _filtered(segment, recipient_type, everybody)
    for question in _questions(segment):
        condition = question.condition(recipient_type, everybody)
        if condition is not None:
            found = found.filter(condition)
    return each_once(recipient_type, found)


def each_once(recipient_type: RecipientType, records: QuerySet[Any]) -> QuerySet[Any]:
    """Return ``records`` as a queryset that can be filtered further, and in which nobody is twice."""
    query: Any = records.order_by().query
    if query.count_active_tables() > 1 or query.distinct or query.is_sliced or query.combinator:
        # A filter through a relation finds somebody as often as the relation does.
        return recipient_type.get_queryset().filter(pk__in=records.order_by().values("pk"))
    return records.order_by()


def why_unusable(segment: Segment) -> str:
    """Return why nobody can say who is in ``segment``, for people; empty: it can be used."""
    try:
        people_of(segment)
    except UnusableSegment as unusable:
        return str(unusable)
    return ""


def sentences_of(segment: Segment) -> list[str]:
    """Return what was chosen, a line for each criterion. Raises :class:`UnusableSegment`."""
    recipient_type = _type_of(segment)
    filterset = _filterset(segment, recipient_type, recipient_type.get_queryset())
    shown = _shown_values(segment, filterset.form) if filterset is not None else ()
    lines = [f"{label}: {value}" for label, value in shown]
    return [*lines, *filter(None, (question.sentence() for question in _questions(segment)))]


def chosen_in(form: BaseForm, data: QueryDict) -> Chosen:
    """Return what ``form`` reads of ``data`` and is not blank, by name without the form's prefix."""
    watched = WatchedQuery(data)
    for name, form_field in form.fields.items():
        form_field.widget.value_from_datadict(watched, {}, form.add_prefix(name))
    prefix = f"{form.prefix}-" if form.prefix else ""
    chosen = {}
    for name, values in data.lists():
        kept = [str(value) for value in values if str(value).strip()]
        if name in watched.read and kept:
            chosen[name.removeprefix(prefix)] = kept
    return chosen


def as_query(chosen: Chosen, prefix: str = "") -> QueryDict:
    """Return what was chosen as the parameters of a form with this prefix."""
    query = QueryDict(mutable=True)
    for name, values in chosen.items():
        query.setlist(f"{prefix}-{name}" if prefix else name, values)
    return query


@contextmanager
def _as_it_was_typed(segment: Segment) -> Iterator[None]:
    """Read dates and numbers in the language of whoever typed them, and times in the site's own zone.

    A worker has neither, and the day that a colleague sees must not be another than that which is mailed.
    """
    language = segment.language or translation.get_language() or ""
    with translation.override(language or None), timezone.override(timezone.get_default_timezone()):
        yield


def _type_of(segment: Segment) -> RecipientType:
    if segment.type is None:
        why = _("this site no longer knows such recipients (%(type)s). Ask your administrator.")
        raise _unusable(segment, why % {"type": segment.recipient_type})
    return segment.type


def _filtered(segment: Segment, recipient_type: RecipientType, everybody: QuerySet[Any]) -> QuerySet[Any]:
    filterset = _filterset(segment, recipient_type, everybody)
    if filterset is None:
        return everybody
    try:
        with _as_it_was_typed(segment):
            found: QuerySet[Any] = filterset.qs
    except Exception as error:
        raise _broken_filters(segment, recipient_type) from error
    return found


def _filterset(segment: Segment, recipient_type: RecipientType, everybody: QuerySet[Any]) -> Any:
    """Return the type's filters with what was saved, all of it understood; None if it has no filters."""
    filterset_class: Any = recipient_type.filterset_class
    query = WatchedQuery(as_query(segment.criteria))
    if filterset_class is None:
        _refuse_unread(segment, query, [])
        return None
    try:
        # Without a request: a mailing goes to the same people whoever has pressed the button, and so does a worker's.
        filterset = filterset_class(query, queryset=everybody, request=None)
        form: BaseForm = filterset.form
        _refuse_invalid(segment, form)
        _refuse_unread(segment, query, read_filters(form, query))
    except UnusableSegment:
        raise
    except Exception as error:
        raise _broken_filters(segment, recipient_type) from error
    return filterset


def _questions(segment: Segment) -> Iterator[behaviour.Behaviour]:
    for key, chosen in segment.behaviour.items():
        question_class = behaviour.get(key)
        query = WatchedQuery(as_query(chosen))
        if question_class is None:
            _refuse_unread(segment, query, [])
            continue
        question = question_class(query)
        _refuse_invalid(segment, question)
        _refuse_unread(segment, query, read_filters(question, query))
        yield question


def _refuse_invalid(segment: Segment, form: BaseForm) -> None:
    with _as_it_was_typed(segment):
        if form.is_valid():
            return
    labels = ", ".join(str(form[name].label) for name in form.errors if name in form.fields)
    errors = " ".join(str(error) for errors in form.errors.values() for error in errors)
    raise _unusable(segment, _("%(filters)s: %(errors)s") % {"filters": labels, "errors": errors})


def _refuse_unread(segment: Segment, query: WatchedQuery, values: list[FilterValue]) -> None:
    ignored = [value.label for value in values if value.is_ignored]
    unknown = set(query.keys()) - {name for value in values for name in value.names}
    missing = [*ignored, *sorted(name for name in unknown if query.given([name]))]
    if missing:
        why = _("it filters by something that can be filtered by no more (%(filters)s).")
        raise _unusable(segment, why % {"filters": ", ".join(missing)})


def _broken_filters(segment: Segment, recipient_type: RecipientType) -> UnusableSegment:
    logger.exception("The filters of %s cannot be used for segment %s", recipient_type.key, segment.pk)
    why = _("the filters of %(type)s fail, and the log says why. Ask your administrator.")
    return _unusable(segment, why % {"type": recipient_type.label_plural})


def _unusable(segment: Segment, why: str) -> UnusableSegment:
    sentence = _("The segment “%(name)s” cannot be used: %(why)s Open it and choose its filters again.")
    return UnusableSegment(sentence % {"name": segment.name, "why": why})


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
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, QuerySet):
        return ", ".join(map(str, value))
    texts = [str(each) for each in (typed if isinstance(typed, list | tuple) else [typed]) if each]
    labels = dict(_flat_choices(getattr(form_field, "choices", ())))
    return ", ".join(labels.get(text, text) for text in texts)


def _flat_choices(choices: Any) -> Iterator[tuple[str, str]]:
    for value, label in choices:
        if isinstance(label, list | tuple):
            yield from _flat_choices(label)
        else:
            yield str(value), str(label)
