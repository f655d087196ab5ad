"""Columns of the screens about target lists and their people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn, ButtonsColumnMixin, Column, TitleColumn
from wagtail.admin.widgets.button import ListingButton


class SelectColumn(BulkActionsCheckboxColumn):
    """A box to tick for each row, named after what the row shows.

    Wagtail's own names it by the id of an element in the title column, which other people's listings lack.
    """

    cell_template_name = "massmail_plugin/target_lists/select_cell.html"

    def __init__(self) -> None:
        super().__init__("bulk_actions", obj_type="item")


class ListTitleColumn(ButtonsColumnMixin, TitleColumn):
    """The title of a target list: leads to its people, with a button to its page. Its folder stands below, where
    the listing has found out: in a column of its own it would be too wide for a phone."""

    cell_template_name = "massmail_plugin/target_lists/list_title_cell.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        return {**context, "folder": getattr(instance, "_parent_page", None)}

    def get_buttons(self, instance: Any, parent_context: Any) -> list[Any]:
        request = parent_context["request"]
        if not instance.permissions_for_user(request.user).can_edit():
            return []
        return [
            ListingButton(
                _("Edit"),
                url=reverse("wagtailadmin_pages:edit", args=[instance.pk]),
                icon_name="edit",
                attrs={"aria-label": _("Edit “%(title)s”") % {"title": instance.title}},
            )
        ]


class PersonColumn(TitleColumn):
    """A name with the address below: side by side they would be too wide for a phone."""

    cell_template_name = "massmail_plugin/target_lists/name_cell.html"

    def __init__(self, name: str, *, get_email: Callable[[Any], str], **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.get_email = get_email

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        # Cut: one that is too long would push all other columns out of sight.
        return {**context, "email": Truncator(self.get_email(instance)).chars(60)}


class StatusColumn(Column):
    """Whether somebody can be mailed, in a word or two, and more about it below."""

    cell_template_name = "massmail_plugin/target_lists/status_cell.html"


class RemoveColumn(Column):
    """Takes one person out of the list."""

    cell_template_name = "massmail_plugin/target_lists/remove_cell.html"

    def __init__(self, name: str, *, url: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.url = url
