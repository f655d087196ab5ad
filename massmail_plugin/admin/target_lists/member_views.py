"""The people of one target list: who they are, and who of them can be mailed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin.ui.tables import Column
from wagtail.admin.widgets.button import Button, HeaderButton

from massmail_plugin import recipients
from massmail_plugin.admin.paging import KnownCount
from massmail_plugin.admin.target_lists.columns import PersonColumn, RemoveColumn, SelectColumn, StatusColumn
from massmail_plugin.admin.target_lists.exporting import ExportedMembers
from massmail_plugin.admin.target_lists.live import live_segments
from massmail_plugin.admin.target_lists.member_filters import MAILABLE, MemberFilterSet
from massmail_plugin.admin.target_lists.permissions import may_change
from massmail_plugin.admin.target_lists.rows import STATUSES, member_rows
from massmail_plugin.admin.target_lists.screens import SelectableListing, url_to
from massmail_plugin.audience.members import members_among, type_keys_in
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.audience.standing import Standing, counts_of, standing_of, standing_of_members
from massmail_plugin.audience.verdicts import AT_ONCE

#: Up to this size everybody in a list is looked at for each page shown; above, only on request.
LOOK_AT_ALL_UP_TO = AT_ONCE


class MembersView(ExportedMembers, SelectableListing):
    """The list's members with name, address, type and status; above, the segments whose people are in it as well."""

    model = TargetListMember
    template_name = "massmail_plugin/target_lists/members.html"
    filterset_class = MemberFilterSet
    is_searchable = True
    paginator_class = KnownCount
    verbose_name_plural = gettext_lazy("people")
    action_label = gettext_lazy("Remove")

    def get_page_title(self) -> str:
        return _("People")

    def get_page_subtitle(self) -> str:
        return self.target_list.title

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        *parents, _here = super().get_breadcrumbs_items()
        return [*parents[:-1], {"url": "", "label": self.target_list.title}]

    def get_index_url(self) -> str:
        return url_to("members", self.target_list.pk)

    def get_index_results_url(self) -> str:
        return url_to("members_results", self.target_list.pk)

    def get_action_url(self) -> str:
        return url_to("remove_members", self.target_list.pk)

    def get_more_actions(self) -> list[tuple[Any, str]]:
        return [
            (_("Copy to a list"), url_to("copy_members", self.target_list.pk)),
            (_("Move to a list"), url_to("move_members", self.target_list.pk)),
        ]

    def get_select_all_label(self, number: int) -> str:
        return ngettext("Select %(number)d person found", "Select all %(number)d people found", number) % {
            "number": number
        }

    @cached_property
    def may_change(self) -> bool:
        return may_change(self.request.user, self.target_list)

    @cached_property
    def columns(self) -> list[Any]:
        shown = [
            PersonColumn(
                "name", label=_("Name"), get_url=lambda row: row.url, get_email=lambda row: row.email
            ),
            Column("type_label", label=_("Type")),
            StatusColumn("status", label=_("Status")),
        ]
        return (
            [SelectColumn(), *shown, RemoveColumn("remove", label=_("Remove"), url=self.get_action_url())]
            if self.may_change
            else shown
        )

    @cached_property
    def header_buttons(self) -> list[Any]:
        if not self.may_change:
            return []
        return [HeaderButton(_("Add people"), url_to("add_people", self.target_list.pk), icon_name="plus")]

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        exports = self.export_buttons() if self.number or self.target_list.live_segments.exists() else []
        if not self.may_change:
            return exports
        edit = reverse("wagtailadmin_pages:edit", args=[self.target_list.pk])
        return [
            Button(
                _("Import a file"), url=url_to("import", self.target_list.pk), icon_name="upload", priority=10
            ),
            Button(
                _("Merge with other lists"),
                url=url_to("merge", self.target_list.pk),
                icon_name="group",
                priority=15,
            ),
            Button(_("Edit title and description"), url=edit, icon_name="edit", priority=20),
            *exports,
        ]

    @cached_property
    def number(self) -> int:
        """How many members the whole list has."""
        return self.target_list.members.count()

    @cached_property
    def standing(self) -> Standing | None:
        """How everybody in the list stands; None where the list is too long to look at for each page."""
        is_short = self.number <= LOOK_AT_ALL_UP_TO
        return standing_of(self.target_list, self.type_keys) if is_short else None

    @cached_property
    def type_keys(self) -> list[str]:
        return type_keys_in(self.target_list)

    @cached_property
    def status_shown(self) -> str | None:
        """The status that the screen is filtered by, as a reason; None: any."""
        status: str = self.request.GET.get("status", "")
        return ("" if status == MAILABLE else status) if status else None

    @property
    def is_status_refused(self) -> bool:
        """Whether a list of this length is filtered by status: for each page everybody would have to be looked at."""
        return self.status_shown is not None and self.standing is None and not self.export_format

    def shows_type(self, key: str) -> bool:
        return self.request.GET.get("recipient_type", "") in ("", key)

    def get_filterset_kwargs(self) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(), "standing": self.standing, "types": self.type_keys}

    def filter_queryset(self, queryset: QuerySet[TargetListMember]) -> QuerySet[TargetListMember]:
        return super().filter_queryset(queryset.none() if self.is_status_refused else queryset)

    def get_paginator(self, *args: Any, **kwargs: Any) -> KnownCount:
        is_whole = not self.is_searching and not self.is_filtering
        return super().get_paginator(*args, **kwargs, known=self.number if is_whole else None)

    def get_base_queryset(self) -> QuerySet[TargetListMember]:
        return self.target_list.members.order_by("pk")

    def search_queryset(self, queryset: QuerySet[TargetListMember]) -> QuerySet[TargetListMember]:
        if not self.is_searching:
            return queryset
        found = Q(pk__in=[])
        for recipient_type in recipients.all_types():
            records = recipient_type.search(recipient_type.get_queryset(), self.search_query)
            found |= Q(pk__in=members_among(self.target_list, recipient_type, records).values("pk"))
        return queryset.filter(found)

    def get_table(self, object_list: Any) -> Any:
        members = list(object_list)
        standing = self.standing or standing_of_members(self.target_list, members)
        return super().get_table(member_rows(members, standing, self.request.user))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if self.export_format:
            return context
        live = [] if self.results_only else live_segments(self.target_list, self.request.user)
        return {
            **context,
            "number": self.number,
            "may_change": self.may_change,
            "live": live,
            "sign_up_url": self._sign_up_url(),
            "is_status_refused": self.is_status_refused,
            **self._summary(),
        }

    def _sign_up_url(self) -> str:
        is_open = self.target_list.is_public and self.target_list.live
        return reverse("massmail:sign_up", args=[self.target_list.pk]) if is_open else ""

    def _summary(self) -> dict[str, Any]:
        if self.results_only or (self.standing is None and not self.request.GET.get("look_at_all")):
            return {"counted": False}
        counts = (
            self.standing.counts(self.number) if self.standing else counts_of(self.target_list, self.number)
        )
        mailable = counts.pop("", 0)
        return {
            "counted": True,
            "can_filter": self.standing is not None,
            "mailable": mailable,
            "not_mailable": self.number - mailable,
            "reasons": [
                (reason, STATUSES.get(reason, reason), count) for reason, count in counts.most_common()
            ],
        }
