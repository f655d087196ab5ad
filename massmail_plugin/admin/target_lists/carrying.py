"""Carrying people from one list to another, at once or by workers, and saying what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.log_actions import log

from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.audience.carrying import Carried, copy_people, move_people
from massmail_plugin.audience.importing import from_list
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.delivery.running.nudges import nudge_import

#: More people than this take longer than somebody likes to look at a page that is loading.
AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Carrying:
    """What somebody wants to be carried: everybody in ``source``, or those of its ``members``."""

    source: TargetListPage
    target: TargetListPage
    members: QuerySet[TargetListMember] | None
    user: Any

    @transaction.atomic
    def now(self, *, moving: bool) -> str:
        """Do it. Returns what came of it, in sentences with numbers."""
        carry = move_people if moving else copy_people
        carried = carry(self.source, self.target, self.members, added_by=self.user)
        if moving:
            left = {"number": carried.new + carried.already}
            log(self.source, "massmail.remove_members", user=self.user, data=left)
        came = {"type": f"“{self.source.title}”", "number": carried.new, "already": carried.already}
        log(self.target, "massmail.add_members", user=self.user, data=came)
        return said(carried, self.source, self.target)

    @transaction.atomic
    def by_workers(self, *, moving: bool) -> str:
        """Let the workers do it. Returns where one can follow it."""
        what = from_list.bring(self.source, self.target, self.members, moving=moving, user=self.user)
        nudge_import(what.pk)
        return url_to("import_page", self.target.pk, what.pk)

    @property
    def promise(self) -> str:
        return _("The people of “%(source)s” are being brought into “%(target)s”.") % {
            "source": self.source.title,
            "target": self.target.title,
        }


def said(carried: Carried, source: TargetListPage, target: TargetListPage) -> str:
    """Return what came of it, in sentences with numbers."""
    sentences = [_("%(number)d added to “%(list)s”.") % {"number": carried.new, "list": target.title}]
    if carried.already:
        sentences.append(
            ngettext(
                "%(number)d was in that list already.",
                "%(number)d were in that list already.",
                carried.already,
            )
            % {"number": carried.already}
        )
    if carried.stayed:
        sentences.append(
            ngettext(
                "%(number)d stayed behind, having opted out of “%(list)s”.",
                "%(number)d stayed behind, having opted out of “%(list)s”.",
                carried.stayed,
            )
            % {"number": carried.stayed, "list": source.title}
        )
    return " ".join(sentences)
