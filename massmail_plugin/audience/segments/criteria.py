"""The criteria of segments: what was chosen in forms, kept as it was typed, and read by the same forms each time.

Nothing that was chosen may get lost on the way: a filter that exists no more would let everybody in. So a segment
of which anything is not understood is unusable, and says why.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError
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


def type_of(segment: Segment) -> RecipientType:
    """Return the type of the people in ``segment``. Raises :class:`UnusableSegment`."""
    if segment.type is None:
        why = _("this site no longer knows such recipients (%(type)s). Ask your administrator.")
        raise UnusableSegment(_sentence(segment, why % {"type": segment.recipient_type}))
    return segment.type


def filters_of(segment: Segment) -> Any:
    """Return the type's filters with what was saved, all of it understood; None if the type has none.

    Raises :class:`UnusableSegment`.
    """
    query = WatchedQuery(as_query(segment.criteria))
    filterset = make_filters(segment, query)
    if filterset is None:
        _refuse_unread(segment, query, [])
        return None
    _check(segment, filterset.form, query)
    return filterset


def make_filters(segment: Segment, data: QueryDict | None, prefix: str | None = None) -> Any:
    """Return the filters of the segment's type with ``data``; None if it has none. Raises :class:`UnusableSegment`.

    They get no request: a mailing goes to the same people whoever has pressed the button, and a worker has none.
    """
    recipient_type = type_of(segment)
    filterset_class: Any = recipient_type.filterset_class
    if filterset_class is None:
        return None
    with hosts_filters(segment):
        filterset = filterset_class(data, queryset=recipient_type.get_queryset(), request=None, prefix=prefix)
        # Made at the first look.
        filterset.form  # noqa: B018
    return filterset


def questions_of(segment: Segment) -> Iterator[behaviour.Behaviour]:
    """Yield what ``segment`` asks about mails, all of it understood. Raises :class:`UnusableSegment`."""
    for key, chosen in segment.behaviour.items():
        question_class = behaviour.get(key)
        query = WatchedQuery(as_query(chosen))
        if question_class is None:
            _refuse_unread(segment, query, [])
            continue
        question = question_class(query)
        _check(segment, question, query)
        yield question


@contextmanager
def as_it_was_typed(segment: Segment) -> Iterator[None]:
    """Read dates and numbers in the language of whoever typed them, and times in the site's own zone.

    A worker has neither, and the day that a colleague sees must not be another than that which is mailed.
    """
    language = segment.language or translation.get_language()
    with translation.override(language), timezone.override(timezone.get_default_timezone()):
        yield


@contextmanager
def hosts_filters(segment: Segment) -> Iterator[None]:
    """Around whatever the host's own code does: its faults are no reason to let anybody in, nor to crash."""
    try:
        with as_it_was_typed(segment):
            yield
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception(
            "The filters of %s cannot be used for segment %s", segment.recipient_type, segment.pk
        )
        why = _("the filters of %(type)s fail, and the log says why. Ask your administrator.")
        raise UnusableSegment(
            _sentence(segment, why % {"type": segment.get_recipient_type_display()})
        ) from error


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


def _check(segment: Segment, form: BaseForm, query: WatchedQuery) -> None:
    with hosts_filters(segment):
        is_valid = form.is_valid()
        values = read_filters(form, query) if is_valid else []
    if not is_valid:
        _refuse_invalid(segment, form)
    _refuse_unread(segment, query, values)


def _refuse_invalid(segment: Segment, form: BaseForm) -> None:
    labels = ", ".join(str(form[name].label) for name in form.errors if name in form.fields)
    errors = " ".join(str(error) for errors in form.errors.values() for error in errors)
    raise UnusableSegment(_sentence(segment, f"{labels}: {errors}" if labels else errors))


def _refuse_unread(segment: Segment, query: WatchedQuery, values: list[FilterValue]) -> None:
    ignored = [value.label for value in values if value.is_ignored]
    unknown = set(query.keys()) - {name for value in values for name in value.names}
    missing = [*ignored, *sorted(name for name in unknown if query.given([name]))]
    if missing:
        why = _("it filters by something that can be filtered by no more (%(filters)s).")
        raise UnusableSegment(_sentence(segment, why % {"filters": ", ".join(missing)}))


def _sentence(segment: Segment, why: str) -> str:
    sentence = _("The segment “%(name)s” cannot be used: %(why)s Open it and choose its filters again.")
    return sentence % {"name": segment.name, "why": why}
