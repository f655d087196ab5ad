"""Which records somebody has selected in a listing: those with a tick, or everything that the listing shows.

"Everything" must never be more than what was on the screen. Wagtail's own bulk actions take the whole table
whatever filter is set, so the listing's own view is built again here and asked for its queryset, and the
selection is refused wherever some part of the listing's address was not understood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic.list import BaseListView
from wagtail.admin.views.generic.base import BaseListingView

from massmail_plugin.audience.filter_values import FilterValue, WatchedQuery, read_filters

#: What bulk-actions.js appends to a listing's own parameters.
_OURS = {"id", "next", "childOf"}
#: Parameters of a listing that change only which part of it is shown, and how.
_HARMLESS = {"ordering", "_w_filter_fragment"}


class SelectionRefused(Exception):
    """The selection cannot be worked out for certain; ``str()`` tells people what to do."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing view as its URL makes it."""

    view_class: type[BaseListingView]
    initkwargs: Mapping[str, Any] = field(default_factory=dict)
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def own_parameters(query: QueryDict) -> QueryDict:
    """Return ``query`` without what bulk-actions.js has added: the listing's own parameters."""
    own = query.copy()
    for name in _OURS:
        own.pop(name, None)
    return own


def listing_at(request: HttpRequest, url: str, model: type[Model]) -> Listing:
    """Return the listing of ``model`` at ``url``. Refused if it is none, or if its parameters are not those
    that came with the request."""
    parts = urlsplit(url)
    try:
        match = resolve(parts.path)
    except Resolver404 as error:
        raise SelectionRefused(_cannot_select_all()) from error
    view_class: Any = getattr(match.func, "view_class", None)
    initkwargs = getattr(match.func, "view_initkwargs", {})
    if not (isinstance(view_class, type) and issubclass(view_class, BaseListingView)):
        raise SelectionRefused(_cannot_select_all())
    if initkwargs.get("model", getattr(view_class, "model", None)) is not model:
        raise SelectionRefused(_cannot_select_all())
    if dict(QueryDict(parts.query).lists()) != dict(own_parameters(request.GET).lists()):
        raise SelectionRefused(_cannot_select_all())
    return Listing(view_class, initkwargs, match.args, match.kwargs)


def everything_in(listing: Listing, request: HttpRequest) -> QuerySet[Any]:
    """Return all records that ``listing`` shows, on all its pages, with the parameters of ``request``.

    Raises :class:`SelectionRefused`, and PermissionDenied where the listing itself would.
    """
    if listing.view_class.get is not BaseListView.get:
        raise SelectionRefused(_cannot_select_all())
    query: Any = WatchedQuery(own_parameters(request.GET))
    view: Any = listing.view_class(**listing.initkwargs)
    shown: list[Any] = []

    def get(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        shown.append(view.get_queryset())
        return HttpResponse()

    # In place of the real one: everything that the view checks before it shows anything is checked here too.
    view.get = get
    asked = copy(request)
    asked.method, asked.GET = "GET", query
    view.setup(asked, *listing.args, **listing.kwargs)
    view.dispatch(asked, *listing.args, **listing.kwargs)
    if not shown:
        raise SelectionRefused(_cannot_select_all())
    _refuse_what_was_not_understood(view, query)
    return _as_queryset(shown[0])


def ticked(model: type[Model], object_ids: Sequence[str]) -> QuerySet[Any]:
    """Return the records with these quoted primary keys; refused unless each of them exists."""
    wanted = {_primary_key(model, unquote(object_id)) for object_id in object_ids}
    if not wanted:
        raise SelectionRefused(_("Nobody is selected. Go back and tick somebody."))
    records = model._default_manager.filter(pk__in=wanted)
    if missing := len(wanted) - records.count():
        raise SelectionRefused(
            ngettext(
                "%(number)d of the selected records does not exist any more. Go back and select again.",
                "%(number)d of the selected records do not exist any more. Go back and select again.",
                missing,
            )
            % {"number": missing}
        )
    return records


def _primary_key(model: type[Model], text: str) -> Any:
    field: Any = model._meta.pk
    while isinstance(field, ForeignKey):
        field = field.target_field
    try:
        value = field.to_python(text)
        # Databases choke on numbers that are longer than their columns.
        field.run_validators(value)
    except ValidationError as error:
        raise SelectionRefused(_("This selection is not valid. Go back and select again.")) from error
    return value


def _refuse_what_was_not_understood(view: BaseListingView, query: WatchedQuery) -> None:
    understood = _HARMLESS | {view.page_kwarg}
    if view.is_searchable:
        understood.add(view.search_kwarg)
        if query.given({view.search_kwarg}) and not view.search_query:
            raise SelectionRefused(_not_understood(_("search")))
    for found in _filter_values(view, query):
        understood |= found.names
        if found.is_ignored:
            raise SelectionRefused(_not_understood(found.label))
    unknown = set(query.keys()) - understood
    if query.given(unknown):
        raise SelectionRefused(_not_understood(", ".join(sorted(unknown))))


def _filter_values(view: BaseListingView, query: WatchedQuery) -> list[FilterValue]:
    if view.filters is None:
        return []
    form = view.filters.form
    if not form.is_valid():
        raise SelectionRefused(_not_understood(", ".join(str(form[name].label) for name in form.errors)))
    return read_filters(form, query)


def _as_queryset(records: Any) -> QuerySet[Any]:
    if isinstance(records, QuerySet):
        return records.order_by()
    # Results of Wagtail's search: not a queryset, and some backends give no more than so many.
    found = [record.pk for record in records]
    if len(found) != records.count():
        raise SelectionRefused(_cannot_select_all())
    return records.queryset.model._default_manager.filter(pk__in=found)


def _cannot_select_all() -> str:
    return _(
        "Everything in this listing cannot be selected at once. Go back and tick the records page by page."
    )


def _not_understood(what: str) -> str:
    return _(
        "The listing was filtered by something that is not understood (%(what)s), so more people could be "
        "selected than you saw. Nothing was done. Go back, clear the filters and set them again."
    ) % {"what": what}
