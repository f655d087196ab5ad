"""Adding people to target lists and taking them out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import swapper
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import BigIntegerField, IntegerField, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext
from wagtail.models import PageViewRestriction

from massmail_plugin import recipients
from massmail_plugin.audience.inserting import insert_select
from massmail_plugin.audience.models import TargetListIndexPage, TargetListMember, TargetListPage
from massmail_plugin.audience.record_sets import key_as_text, record_pk, record_pks
from massmail_plugin.recipients import RecipientType

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding records to a list."""

    new: int
    #: How many were in the list before.
    already: int


def add_members(
    target_list: TargetListPage,
    recipient_type: RecipientType,
    object_ids: Iterable[object],
    *,
    added_by: AbstractBaseUser | None = None,
) -> Added:
    """Add records by primary key; those already in the list stay as they are. Memory stays flat."""
    return add_keyed_members(target_list, recipient_type.key, object_ids, added_by=added_by)


def add_keyed_members(
    target_list: TargetListPage,
    type_key: str,
    object_ids: Iterable[object],
    *,
    added_by: AbstractBaseUser | None = None,
) -> Added:
    """Do the same for records of a type that the host may register no longer."""
    new = already = 0
    ids = iter(object_ids)
    while chunk := list(islice(ids, _CHUNK)):
        wanted = {str(pk): None for pk in chunk}
        known = set(
            target_list.members.filter(recipient_type=type_key, object_id__in=list(wanted)).values_list(
                "object_id", flat=True
            )
        )
        missing = [
            TargetListMember(  # type: ignore[misc]
                target_list=target_list, recipient_type=type_key, object_id=pk, added_by=added_by
            )
            for pk in wanted
            if pk not in known
        ]
        # Somebody else may be adding the same people at this moment.
        TargetListMember.objects.bulk_create(missing, ignore_conflicts=True)
        new, already = new + len(missing), already + len(known)
    return Added(new, already)


def add_records(
    target_list: TargetListPage,
    recipient_type: RecipientType,
    records: QuerySet[Any],
    *,
    added_by: AbstractBaseUser | None = None,
) -> Added:
    """Add the ``records``, a queryset of the host's model, in one statement."""
    model = recipient_type.model
    # Each once, whatever they were joined with.
    found = model._base_manager.filter(pk__in=records.order_by().values("pk"))
    number = found.count()
    new = insert_members(
        target_list, recipient_type.key, found.order_by("pk"), key_as_text(model), added_by=added_by
    )
    return Added(new, max(0, number - new))


def insert_members(
    target_list: TargetListPage,
    type_key: str,
    rows: QuerySet[Any],
    object_id: Combinable,
    *,
    added_by: AbstractBaseUser | None = None,
) -> int:
    """Add somebody for each of ``rows``, whose ``object_id`` is an expression over it. Returns how many are new."""
    user_key: Any = get_user_model()._meta.pk
    is_number = isinstance(user_key, IntegerField)
    columns = {
        "target_list": Value(target_list.pk),
        "recipient_type": Value(type_key),
        "object_id": object_id,
        "added_at": Value(timezone.now()),
        # PostgreSQL takes a bare NULL for text.
        "added_by": Cast(Value(added_by and added_by.pk), BigIntegerField() if is_number else user_key),
    }
    return insert_select(TargetListMember, rows, columns, ignore_conflicts=True)


def remove_members(target_list: TargetListPage, members: QuerySet[TargetListMember] | Iterable[int]) -> int:
    """Take members, a queryset or row numbers, out of the list. Consent is untouched. Returns how many left."""
    if isinstance(members, QuerySet):
        return target_list.members.filter(pk__in=members.values("pk")).delete()[0]
    removed, rows = 0, iter(members)
    while chunk := list(islice(rows, _CHUNK)):
        removed += target_list.members.filter(pk__in=chunk).delete()[0]
    return removed


def every_record(recipient_type: RecipientType) -> QuerySet[Any]:
    """Return all records of a type, those too that its ``get_queryset`` or a manager of the host's hides.

    For asking who has said no, and never for mailing: an archived record still says whose address it is.
    """
    records: QuerySet[Any] = recipient_type.model._base_manager.all()
    return records


def records_of(target_list: TargetListPage, recipient_type: RecipientType) -> QuerySet[Any]:
    """Return the host records of one type that are in the list, as a queryset of the host model."""
    return recipient_type.get_queryset().filter(pk__in=member_pks(target_list, recipient_type))


def member_pks(target_list: TargetListPage, recipient_type: RecipientType) -> QuerySet[Any]:
    """Return the primary keys of the records of one type that are members of the list."""
    members = target_list.members.filter(recipient_type=recipient_type.key)
    return record_pks(members, recipient_type.model)


def types_in(target_list: TargetListPage) -> list[RecipientType]:
    """Return the recipient types of the people in the list, by key.

    Types that the host no longer registers are left out; their members stay for when it does again.
    """
    return [found for key in type_keys_in(target_list) if (found := recipients.get(key))]


def type_keys_in(target_list: TargetListPage) -> list[str]:
    """Return the keys of the recipient types in the list, in order, registered or not.

    One short query for each: to ask for all at once reads every row of the list.
    """
    keys = target_list.members.order_by("recipient_type").values_list("recipient_type", flat=True)
    found: list[str] = []
    while (key := keys.filter(recipient_type__gt=found[-1] if found else "").first()) is not None:
        found.append(key)
    return found


def missing_types(lists: Iterable[TargetListPage]) -> list[str]:
    """Return the keys of the recipient types in ``lists`` that the host no longer registers."""
    keys = {key for target_list in lists for key in type_keys_in(target_list)}
    return sorted(key for key in keys if recipients.get(key) is None)


def members_among(
    target_list: TargetListPage, recipient_type: RecipientType, records: QuerySet[Any]
) -> QuerySet[TargetListMember]:
    """Return the members of the list that are one of ``records``, a queryset of the host model."""
    members: QuerySet[TargetListMember] = target_list.members.filter(recipient_type=recipient_type.key)
    record_ids = records.order_by().values("pk")
    return members.annotate(record_pk=record_pk(members, recipient_type.model)).filter(
        record_pk__in=record_ids
    )


def get_index_page() -> TargetListIndexPage:
    """Return the folder for target lists; the first caller makes it, beside all sites and so in none of them."""
    page = TargetListIndexPage.objects.order_by("path").first()
    return page or _make_index_page()


def _make_index_page() -> TargetListIndexPage:
    page_model = swapper.load_model("wagtailcore", "Page")
    with transaction.atomic():
        # The second of two first callers waits here, and then finds the page.
        root = page_model.objects.select_for_update().get(pk=page_model.get_first_root_node().pk)
        page = TargetListIndexPage.objects.order_by("path").first()
        if page is None:
            # Without a slug: Wagtail finds one that is free.
            page = root.add_child(instance=TargetListIndexPage(title=gettext("Target lists")))
            # For groups, and none of them: Wagtail's APIs and sitemap leave out what not everybody may see, also when
            # somebody moves the folder into a site.
            PageViewRestriction.objects.create(page_id=page.pk, restriction_type=PageViewRestriction.GROUPS)
        return page
