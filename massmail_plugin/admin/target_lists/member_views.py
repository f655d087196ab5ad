"""The people of one target list: who they are, who of them can be mailed, and taking them out."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.log_actions import log

from massmail_plugin import recipients
from massmail_plugin.admin.paging import KnownCount
from massmail_plugin.admin.target_lists.columns import PersonColumn, RemoveColumn, SelectColumn, StatusColumn
from massmail_plugin.admin.target_lists.confirming import ConfirmForm, ConfirmView
from massmail_plugin.admin.target_lists.exporting import ExportedMembers
from massmail_plugin.admin.target_lists.live import live_segments
from massmail_plugin.admin.target_lists.permissions import may_change
from massmail_plugin.admin.target_lists.rows import STATUSES, MemberRow, member_rows
from massmail_plugin.admin.target_lists.screens import OfTargetList, SelectableListing, url_to
from massmail_plugin.admin.target_lists.selection import Listing, everything_in, ticked
from massmail_plugin.audience.members import members_among, remove_members, type_keys_in
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.standing import Standing, counts_of, standing_of, standing_of_members
from massmail_plugin.audience.verdicts import AT_ONCE

#: Up to this size everybody in a list is looked at for each page shown; above, only on request.
LOOK_AT_ALL_UP_TO = AT_ONCE
#: The filter's value for those who can be mailed; the empty value means any.
_MAILABLE = "mailable"


class MemberFilterSet(WagtailFilterSet):
    """Narrows by type and, in lists that are small enough, by status."""

    recipient_type = django_filters.ChoiceFilter(label=gettext_lazy("Type"), empty_label=gettext_lazy("Any"))
    status = django_filters.ChoiceFilter(
        label=gettext_lazy("Status"), empty_label=gettext_lazy("Any"), method="filter_status"
    )

    class Meta:
        model = TargetListMember
        fields: list[str] = []

    def __init__(self, *args: Any, standing: Standing | None, types: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.standing = standing
        self.filters["recipient_type"].extra["choices"] = [(key, _type_label(key)) for key in types]
        self.filters["status"].extra["choices"] = [
            (key or _MAILABLE, label) for key, label in STATUSES.items()
        ]
        if standing is None:
            del self.filters["status"]

    def filter_status(self, members: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        standing, reason = self.standing, "" if value == _MAILABLE else value
        assert standing is not None
        rows = members.values_list("pk", "recipient_type", "object_id")
        return members.filter(pk__in=[pk for pk, *record in rows if standing.reason(*record) == reason])


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
        return ("" if status == _MAILABLE else status) if status else None

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


def selected_members(request: HttpRequest, target_list: TargetListPage) -> QuerySet[TargetListMember]:
    """Return the members that were ticked, or all that the screen shows. Raises SelectionRefused."""
    ids = request.GET.getlist("id")
    if "all" in ids:
        return everything_in(Listing(MembersView, kwargs={"list_id": target_list.pk}), request)
    members: QuerySet[TargetListMember] = target_list.members.all()
    return members.filter(pk__in=ticked(TargetListMember, ids).values("pk"))


class RemoveMembers(OfTargetList, ConfirmView):
    """Takes the selected people out of the list."""

    changes_list = True
    header_icon = "bin"
    submit_label = gettext_lazy("Yes, remove")
    template_name = "massmail_plugin/target_lists/confirm_remove.html"

    def get_page_title(self) -> str:
        return _("Remove people")

    def get_back_url(self) -> str:
        return url_to("members", self.target_list.pk)

    @cached_property
    def selected(self) -> QuerySet[TargetListMember]:
        return selected_members(self.request, self.target_list)

    def act(self, form: ConfirmForm) -> str:
        removed = remove_members(self.target_list, self.selected)
        log(self.target_list, "massmail.remove_members", user=self.request.user, data={"number": removed})
        return ngettext(
            "%(number)d person removed from “%(list)s”.",
            "%(number)d people removed from “%(list)s”.",
            removed,
        ) % {"number": removed, "list": self.target_list.title}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        named: list[MemberRow] = []
        if self.number == 1:
            named = member_rows(list(self.selected), Standing(), self.request.user)
        return super().get_context_data(named=named, **kwargs)


def _type_label(key: str) -> str:
    recipient_type = recipients.get(key)
    return recipient_type.label if recipient_type else key
