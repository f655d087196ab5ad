"""What our screens share: titles lead to an object's own page, and empty listings tell the next step."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import ProtectedError
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.ui.tables import TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic import history, usage
from wagtail.admin.views.generic.base import BaseObjectMixin, WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import Button, HeaderButton

from massmail_plugin.admin import names
from massmail_plugin.admin.access import ScopedObject
from massmail_plugin.admin.kept import kept_page, why_kept


class Listing(generic.IndexView):
    """A listing whose titles lead to the objects' own pages."""

    results_template_name = "massmail_plugin/admin/listing_results.html"
    #: What to say when there is nothing yet: what these things are for.
    empty_text: Any = ""

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["media"] += Media(css={"all": ["massmail_plugin/admin.css"]})
        return context

    def _get_title_column(self, field_name: str, column_class: Any = TitleColumn, **kwargs: Any) -> Any:
        # Wagtail's own method leads to the edit form wherever the user may edit.
        column_class = self._get_title_column_class(column_class)
        return self._get_custom_column(field_name, column_class, get_url=self.get_inspect_url, **kwargs)

    def get_list_more_buttons(self, instance: Any) -> list[Any]:
        inspect = self.get_inspect_url(instance)
        return [button for button in super().get_list_more_buttons(instance) if button.url != inspect]


class OwnPage(ScopedObject, generic.InspectView):
    """The page of one object."""

    page_title = ""
    #: Wagtail passes it only to views that have the attribute.
    history_url_name: str = ""

    def get_page_title(self) -> str:
        return str(self.object)

    def get_page_subtitle(self) -> str:
        return ""

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        plural = capfirst(str(self.model._meta.verbose_name_plural))
        return [
            *self.breadcrumbs_items,
            {"url": reverse(self.index_url_name), "label": plural},
            {"url": "", "label": str(self.object)},
        ]

    def get_fields(self) -> list[str]:
        return []

    def get_edit_url(self) -> str | None:
        if self.edit_url_name and self.user_has_permission_for_instance("change", self.object):
            return reverse(self.edit_url_name, args=(quote(self.object.pk),))
        return None

    def get_delete_url(self) -> str | None:
        if self.delete_url_name and self.user_has_permission_for_instance("delete", self.object):
            return reverse(self.delete_url_name, args=(quote(self.object.pk),))
        return None

    @cached_property
    def header_buttons(self) -> list[Any]:
        edit_url = self.get_edit_url()
        return [HeaderButton(_("Edit"), url=edit_url, icon_name="edit")] if edit_url else []

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons = [button for button in super().header_more_buttons if button.url != self.get_edit_url()]
        if self.history_url_name and self.user_has_any_permission({"add", "change", "delete"}):
            url = reverse(self.history_url_name, args=(quote(self.object.pk),))
            buttons.append(Button(_("History"), url=url, icon_name="history", priority=90))
        return buttons


class Step(PermissionCheckedMixin, ScopedObject, WagtailAdminTemplateMixin, BaseObjectMixin, TemplateView):
    """A page about one object, one step away from the object's own page."""

    #: Namespace of the object's screens.
    screens: str = ""
    #: What the page does, for the title and the breadcrumbs.
    step: Any = ""

    @property
    def back_url(self) -> str:
        return names.own_page(self.screens, self.object.pk)

    def get_page_title(self) -> str:
        return str(self.step)

    def get_page_subtitle(self) -> str:
        return str(self.object)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        plural = capfirst(str(self.model._meta.verbose_name_plural))
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{self.screens}:index"), "label": plural},
            {"url": self.back_url, "label": str(self.object)},
            {"url": "", "label": str(self.step)},
        ]


class Create(generic.CreateView):
    """After creating, the object's own page."""

    inspect_url_name: str = ""

    def get_success_url(self) -> str:
        return reverse(self.inspect_url_name, args=(quote(self.object.pk),))

    def get_success_buttons(self) -> list[Any]:
        return []


class Edit(ScopedObject, generic.EditView):
    """After saving, the object's own page."""

    object_permissions = ("change",)

    def get_success_url(self) -> str:
        return reverse(self.inspect_url_name, args=(quote(self.object.pk),))

    def get_success_buttons(self) -> list[Any]:
        return []

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        *parents, here = super().get_breadcrumbs_items()
        return [*parents, {**here, "url": self.get_inspect_url()}, {"url": "", "label": _("Edit")}]


class Delete(ScopedObject, generic.DeleteView):
    """Refuses at once, and kindly, where something needs the object or other rows hold it."""

    object_permissions = ("delete",)

    def get_usage_url(self) -> None:
        # Wagtail counts references; we name what uses the object, and know needs that are no references.
        return None

    def run_before_hook(self) -> HttpResponse | None:
        kept = why_kept(self.object, self.request.user)
        return kept_page(self.request, [kept], self.get_success_url()) if kept else None

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except ProtectedError:
            messages.error(self.request, self.get_protected_message())
            return redirect(self.index_url_name)

    def get_protected_message(self) -> str:
        return _("“%(object)s” is still in use, so it cannot be deleted.") % {"object": self.object}


class History(ScopedObject, history.HistoryView):
    """The audit log of one object."""


class Usage(ScopedObject, usage.UsageView):
    """Where one object is used."""


class ScopedViews:
    """Mixin for ``ModelViewSet``: our view classes for all its views."""

    index_view_class = Listing
    add_view_class = Create
    edit_view_class = Edit
    delete_view_class = Delete
    inspect_view_class = OwnPage
    history_view_class = History
    usage_view_class = Usage
    inspect_view_enabled = True
    copy_view_enabled = False


def show_refusal(request: HttpRequest, problems: list[str]) -> None:
    """Show each problem as an error message."""
    for problem in problems:
        messages.error(request, problem)


def signed_in(request: HttpRequest) -> Any:
    """Return who makes the request: Wagtail lets nobody else into its admin."""
    return request.user
