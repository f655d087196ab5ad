"""“Add people”: choose records of one type by filters and search, and put them in the list."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import TemplateView
from wagtail.admin.ui.tables import Column

from massmail_plugin import recipients
from massmail_plugin.admin.target_lists.adding import add_and_tell, choosable
from massmail_plugin.admin.target_lists.columns import PersonColumn, SelectColumn
from massmail_plugin.admin.target_lists.confirming import ConfirmForm, ConfirmView
from massmail_plugin.admin.target_lists.screens import OfTargetList, SelectableListing, url_to
from massmail_plugin.admin.target_lists.selection import Listing, everything_in, ticked
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records, choosable_types, may_choose


class AddPeople(OfTargetList, TemplateView):
    """Leads to the first type that this user may choose from; says what is missing if there is none."""

    changes_list = True
    template_name = "massmail_plugin/target_lists/nobody_to_choose.html"

    def get_page_title(self) -> str:
        return _("Add people")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        types = choosable_types(request.user)
        if types:
            return redirect(url_to("choose", self.target_list.pk, types[0].key))
        return self.render_to_response(self.get_context_data(any_types=bool(recipients.all_types())))


class OfRecipientType(OfTargetList):
    """A view that is about one recipient type, whose key is in the URL."""

    changes_list = True
    recipient_type: RecipientType

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        recipient_type = recipients.get(kwargs["type_key"])
        if recipient_type is None:
            raise Http404
        self.recipient_type = recipient_type

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_choose(request.user, self.recipient_type):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class ChoosePeople(OfRecipientType, SelectableListing):
    """The records of one type, with its filters and a search."""

    template_name = "massmail_plugin/target_lists/choose.html"
    action_label = gettext_lazy("Add to the list")

    def get_page_title(self) -> str:
        return _("Add people to “%(list)s”") % {"list": self.target_list.title}

    @cached_property
    def filterset_class(self) -> Any:
        return self.recipient_type.filterset_class

    @cached_property
    def is_searchable(self) -> bool:
        return bool(self.recipient_type.get_search_fields())

    @cached_property
    def verbose_name_plural(self) -> str:
        return str(self.recipient_type.model._meta.verbose_name_plural)

    @cached_property
    def columns(self) -> list[Any]:
        of = self.recipient_type
        return [
            SelectColumn(),
            PersonColumn(
                "name",
                label=_("Name"),
                accessor=lambda record: of.display_name(record) or _("(no name)"),
                get_email=of.record_email,
            ),
            Column("in_list", label=_("In the list"), accessor=self._already),
        ]

    def _already(self, record: Any) -> str:
        return _("Already in") if str(record.pk) in self.already else ""

    def get_index_url(self) -> str:
        return url_to("choose", self.target_list.pk, self.recipient_type.key)

    def get_index_results_url(self) -> str:
        return url_to("choose_results", self.target_list.pk, self.recipient_type.key)

    def get_action_url(self) -> str:
        return url_to("confirm_add", self.target_list.pk, self.recipient_type.key)

    def get_select_all_label(self, number: int) -> str:
        return ngettext("Select %(number)d record found", "Select all %(number)d records found", number) % {
            "number": number
        }

    def get_base_queryset(self) -> QuerySet[Any]:
        records = choosable_records(self.request.user, self.recipient_type)
        return records if records.ordered else records.order_by("pk")

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.recipient_type.search(queryset, self.search_query) if self.is_searching else queryset

    def get_table(self, object_list: Any) -> Any:
        records = list(object_list)
        members = self.target_list.members.filter(recipient_type=self.recipient_type.key)
        shown = members.filter(object_id__in=[str(record.pk) for record in records])
        self.already = set(shown.values_list("object_id", flat=True))
        return super().get_table(records)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        types = [
            (
                url_to("choose", self.target_list.pk, each.key),
                each.label_plural,
                each.key == self.recipient_type.key,
            )
            for each in choosable_types(self.request.user)
        ]
        return super().get_context_data(types=types, **kwargs)


class ConfirmAdd(OfRecipientType, ConfirmView):
    """Puts the selected records in the list."""

    header_icon = "plus"
    submit_label = gettext_lazy("Yes, add")
    template_name = "massmail_plugin/target_lists/confirm_add.html"

    def get_page_title(self) -> str:
        return _("Add people")

    def get_back_url(self) -> str:
        return url_to("members", self.target_list.pk)

    @cached_property
    def records(self) -> QuerySet[Any]:
        """What was selected, also what this user may not choose."""
        ids = self.request.GET.getlist("id")
        if "all" in ids:
            return everything_in(Listing(ChoosePeople, kwargs=self.kwargs), self.request)
        return ticked(self.recipient_type.model, ids)

    @cached_property
    def selected(self) -> QuerySet[Any]:
        return choosable(self.recipient_type, self.request.user, self.records)

    def act(self, form: ConfirmForm) -> str:
        return add_and_tell(self.target_list, self.recipient_type, self.selected, self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        left_out = self.records.count() - self.number
        return super().get_context_data(recipient_type=self.recipient_type, left_out=left_out, **kwargs)
