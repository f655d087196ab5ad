"""People of one list who are brought into another by workers, because there are too many to wait for."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from massmail_plugin.audience.carrying import Carried, carry_rows, rows_of
from massmail_plugin.audience.importing.models import ImportBatch, ListImport
from massmail_plugin.audience.models import TargetListMember, TargetListPage


@transaction.atomic
def bring(
    source: TargetListPage,
    target: TargetListPage,
    members: QuerySet[TargetListMember] | None = None,
    *,
    moving: bool,
    user: Any,
) -> ListImport:
    """Let the workers copy or move everybody in ``source``, or those of its ``members``, as they are now."""
    what = ListImport.objects.create(
        target_list=target,
        source=source,
        moving=moving,
        file_name=source.title[:255],
        kind=ListImport.Kind.LIST,
        state=ListImport.State.IMPORTING,
        started_by=user,
    )
    number = 0
    for rows in rows_of(source, members):
        ImportBatch.objects.create(list_import=what, rows=list(rows))
        number += len(rows)
    ListImport.objects.filter(pk=what.pk).update(rows=number)
    return what


def carry_batch(what: ListImport, rows: list[int]) -> None:
    """Carry one batch; the caller's transaction holds the lock on the import."""
    carried = Carried()
    if what.source is not None:
        target, user = what.target_list, what.started_by
        carried = carry_rows(what.source, target, rows, added_by=user, moving=what.moving)
    ListImport.objects.filter(pk=what.pk).update(
        rows_done=F("rows_done") + len(rows),
        added=F("added") + carried.new,
        already=F("already") + carried.already,
        stayed=F("stayed") + carried.stayed,
    )
