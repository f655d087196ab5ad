"""Adding people to target lists and taking them out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import swapper
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import BigIntegerField, Field, ForeignKey, IntegerField, Model, QuerySet, Subquery
from django.db.models.functions import Cast
from django.utils.translation import gettext

from massmail_plugin.audience.models import TargetListIndexPage, TargetListMember, TargetListPage
from massmail_plugin.recipients import RecipientType

_CHUNK = 1000


def add_members(
    target_list: TargetListPage,
    recipient_type: RecipientType,
    object_ids: Iterable[object],
    *,
    added_by: AbstractBaseUser | None = None,
) -> int:
    """Add records by primary key; those already in the list stay as they are. Returns how many came new."""
    before = target_list.members.count()
    ids = iter(object_ids)
    while chunk := list(islice(ids, _CHUNK)):
        TargetListMember.objects.bulk_create(
            [
                TargetListMember(
                    target_list=target_list,
                    recipient_type=recipient_type.key,
                    object_id=str(pk),
                    added_by=added_by,
                )
                for pk in chunk
            ],
            ignore_conflicts=True,
        )
    return target_list.members.count() - before


def remove_members(target_list: TargetListPage, member_ids: Iterable[int]) -> int:
    """Take members (by row number) out of the list. Consent is untouched. Returns how many left."""
    deleted, _per_model = target_list.members.filter(pk__in=list(member_ids)).delete()
    return deleted


def records_of(target_list: TargetListPage, recipient_type: RecipientType) -> QuerySet[Any]:
    """Return the host records of one type that are in the list, as a queryset of the host model."""
    # The stored ids are text; the cast is on our side so that the host's primary key index is used.
    member_ids = (
        target_list.members.filter(recipient_type=recipient_type.key)
        .annotate(record_pk=Cast("object_id", _castable(recipient_type.model)))
        .values("record_pk")
    )
    return recipient_type.get_queryset().filter(pk__in=Subquery(member_ids))


def _castable(model: type[Model]) -> Field[Any, Any]:
    """Return a field of the type of ``model``'s primary key, fit for CAST.

    An AutoField cannot be cast to on PostgreSQL ("serial" is no type); a multi-table child's key is its
    parent's.
    """
    field: Any = model._meta.pk
    while isinstance(field, ForeignKey):
        field = field.target_field
    return BigIntegerField() if isinstance(field, IntegerField) else type(field)()


def get_index_page() -> TargetListIndexPage:
    """Return the folder for target lists; the first caller makes it, unpublished below the root page."""
    page = TargetListIndexPage.objects.order_by("path").first()
    if page is None:
        root = swapper.load_model("wagtailcore", "Page").get_first_root_node()
        page = root.add_child(
            instance=TargetListIndexPage(title=gettext("Target lists"), slug="target-lists")
        )
    return page
