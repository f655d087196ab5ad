"""The people of a list as a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _

from massmail_plugin.admin.exporting import Exported, Spreadsheet
from massmail_plugin.admin.target_lists.rows import member_rows
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.audience.standing import Standing, standing_of_members

_CHUNK = 500


class ExportedMembers(Exported):
    """Mixed into the members screen."""

    def spreadsheet(self) -> Spreadsheet:
        view: Any = self
        name = slugify(view.target_list.title) or f"list-{view.target_list.pk}"
        headings = [_("Name"), _("E-mail address"), _("Type"), _("Status"), _("Details"), _("Added")]
        return name, headings, self._rows(view.object_list, view.standing)

    def _rows(self, members: QuerySet[TargetListMember], standing: Standing | None) -> Iterator[list[Any]]:
        view: Any = self
        # In the order of their numbers: pages of a sorted listing would be read again and again.
        rest = members.order_by("pk").iterator(chunk_size=_CHUNK)
        while chunk := list(islice(rest, _CHUNK)):
            known = standing or standing_of_members(view.target_list, chunk)
            added = {member.pk: member.added_at for member in chunk}
            for row in member_rows(chunk, known, view.request.user):
                moment = date_format(timezone.localtime(added[row.pk]), "Y-m-d H:i")
                yield [row.name, row.email, row.type_label, row.status, row.detail, moment]
