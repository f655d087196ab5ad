"""System checks of recipient types: each thing that a registration names exists, and can be used as it has to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db.models import CompositePrimaryKey, ForeignKey, Model
from django_filters import FilterSet

from massmail_plugin import recipients
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.models import Subscriber
from massmail_plugin.recipients.paths import FieldPath, follow

#: Attributes that are read in SQL and end at a column.
_COLUMNS = ("email", "language", "time_zone")


def check_recipient_types(**kwargs: Any) -> list[CheckMessage]:
    """Every registered recipient type names things that exist."""
    types = recipients.all_types()
    if all(recipient_type.model is Subscriber for recipient_type in types):
        hint = "Write a massmail.py in one of your apps that registers a RecipientType; see the README."
        return [
            checks.Warning(
                "None of this project's people can be mailed: no recipient type is registered.",
                hint=hint,
                id="massmail_plugin.W001",
            )
        ]
    return [message for recipient_type in types for message in _check_type(recipient_type)]


def _check_type(of: RecipientType) -> Iterator[CheckMessage]:
    unusable = list(_check_model(of))
    yield from unusable
    if unusable:
        return
    for attribute in _COLUMNS:
        path = getattr(of, attribute)
        if path or attribute == "email":
            yield from _check_column(of, attribute, path)
    yield from _check_belonging(of, "owner", get_user_model())
    yield from _check_belonging(of, "department", Group)
    for attribute in ("name", "vip"):
        if path := getattr(of, attribute):
            yield from _check_value(of, attribute, path)
    yield from _check_several(of, "merge_fields")
    yield from _check_several(of, "search_fields")
    yield from _check_merge_names(of)
    yield from _check_filters(of)


def _check_model(of: RecipientType) -> Iterator[CheckMessage]:
    model = of.model
    if model._meta.abstract:
        message = f"{_name(of)}: {model.__name__} is abstract, so that it has no records."
        yield Error(message, hint="Register the models that derive from it.", id="massmail_plugin.E011")
        return
    if model._meta.swapped:
        message = f"{_name(of)}: {model.__name__} has been swapped out for {model._meta.swapped}."
        hint = f"Register {model._meta.swapped}; for users, what get_user_model() returns."
        yield Error(message, hint=hint, id="massmail_plugin.E011")
        return
    pk: Any = model._meta.pk
    while isinstance(pk, ForeignKey):
        pk = pk.target_field
    if isinstance(pk, CompositePrimaryKey):
        message = (
            f"{_name(of)}: {model.__name__} has a primary key of several columns, which no list can hold."
        )
        hint = "Register a model with a key of one column, for example a view of this table with one."
        yield Error(message, hint=hint, id="massmail_plugin.E012")
        return
    longest: Any = TargetListMember._meta.get_field("object_id").max_length
    # Of the others Django knows how long they get: numbers, dates, UUIDs.
    if pk.empty_strings_allowed and (pk.max_length or longest + 1) > longest:
        message = f"{_name(of)}: the primary keys of {model.__name__} may be too long for a list."
        hint = f"Limit them to {longest} characters, or register a model with a shorter key."
        yield Error(message, hint=hint, id="massmail_plugin.E012")


def _check_column(of: RecipientType, attribute: str, path: str) -> Iterator[CheckMessage]:
    found = follow(of.model, path) if path else None
    if found is None:
        yield _not_in_sql(of, attribute, path)
        return
    if found.is_many:
        yield _several_values(of, attribute, path)
    if found.target is not None:
        message = f"{_named(of, attribute, path)} leads to a {found.target.__name__}, and not to a text."
        hint = f'Add the name of its field, for example "{path}__{attribute}".'
        yield Error(message, hint=hint, id="massmail_plugin.E014")


def _check_belonging(of: RecipientType, attribute: str, wanted: type[Model]) -> Iterator[CheckMessage]:
    path = getattr(of, attribute)
    if not path:
        return
    found = follow(of.model, path)
    if found is None:
        yield _not_in_sql(of, attribute, path)
    elif found.target is None or not issubclass(wanted, found.target):
        message = (
            f"{_named(of, attribute, path)} does not lead to a {wanted.__name__}, so that it is nobody's."
        )
        hint = (
            f"Name a relation to {wanted._meta.label}, or leave {attribute} out and override choosable_by()."
        )
        yield Error(message, hint=hint, id="massmail_plugin.E015")


def _check_value(of: RecipientType, attribute: str, path: str) -> Iterator[CheckMessage]:
    """Fields, and what Python finds: a property, or a method without arguments."""
    model: type[Model] = of.model
    parts = path.split("__")
    for position, part in enumerate(parts):
        found: FieldPath | None = follow(model, part)
        if found is None:
            if hasattr(model, part):
                return
            message = f"{_named(of, attribute, path)}: {model.__name__} has no field or property {part!r}."
            yield Error(message, hint=f"Correct `{attribute}`.", id="massmail_plugin.E005")
            return
        if found.is_many:
            yield _several_values(of, attribute, path)
            return
        if found.target is None:
            if rest := parts[position + 1 :]:
                message = f"{_named(of, attribute, path)}: {part!r} is a value and has no {rest[0]!r}."
                yield Error(message, hint=f"Correct `{attribute}`.", id="massmail_plugin.E005")
            return
        model = found.target


def _check_several(of: RecipientType, attribute: str) -> Iterator[CheckMessage]:
    paths = getattr(of, attribute)
    if isinstance(paths, str):
        message = f"{_name(of)}.{attribute} is one text, and should be a list of texts."
        yield Error(message, hint=f"Write [{paths!r}].", id="massmail_plugin.E007")
        return
    for path in paths:
        if attribute == "merge_fields":
            yield from _check_value(of, attribute, path)
        else:
            yield from _check_column(of, attribute, path)


def _check_merge_names(of: RecipientType) -> Iterator[CheckMessage]:
    """``{{ contact.company }}`` cannot be a text and have a name of its own."""
    if isinstance(of.merge_fields, str):
        return
    for path in of.merge_fields:
        if any(other.startswith(f"{path}__") for other in of.merge_fields):
            message = f"{_name(of)}.merge_fields has {path!r}, and also something of it."
            hint = f"Take {path!r} out, and name a field of it, for example {path + '__name'!r}."
            yield Error(message, hint=hint, id="massmail_plugin.E016")


def _check_filters(of: RecipientType) -> Iterator[CheckMessage]:
    filters: Any = of.filterset_class
    if filters is None:
        return
    if not (isinstance(filters, type) and issubclass(filters, FilterSet)):
        message = f"{_name(of)}.filterset_class is not a FilterSet."
        hint = "Derive it from django_filters.FilterSet, or from wagtail.admin.filters.WagtailFilterSet."
        yield Error(message, hint=hint, id="massmail_plugin.E017")
        return
    model = cast(Any, filters)._meta.model
    if model is not None and not issubclass(of.model, model):
        message = f"{_name(of)}.filterset_class filters {model.__name__}, and not {of.model.__name__}."
        hint = f"Set its Meta.model to {of.model.__name__}."
        yield Error(message, hint=hint, id="massmail_plugin.E017")


def _name(of: RecipientType) -> str:
    return type(of).__name__


def _named(of: RecipientType, attribute: str, path: str) -> str:
    return f"{_name(of)}.{attribute} = {path!r}"


def _not_in_sql(of: RecipientType, attribute: str, path: str) -> CheckMessage:
    hint = 'Name a field, also through relations, for example "person__email".'
    message = f"{_named(of, attribute, path)} is not a field of {of.model.__name__}."
    if path and hasattr(of.model, path):
        message = f"{_named(of, attribute, path)} is a property or method of {of.model.__name__}, and is needed in SQL."
        hint = 'Name the field that it reads, also through relations, for example "person__email".'
    return Error(message, hint=hint, id="massmail_plugin.E004")


def _several_values(of: RecipientType, attribute: str, path: str) -> CheckMessage:
    message = f"{_named(of, attribute, path)} may have several values for one record."
    hint = "Name a path on which every relation leads to one record, or register the model at its other end."
    return Error(message, hint=hint, id="massmail_plugin.E013")
