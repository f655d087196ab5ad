"""For hosts: makes a listing of mailable records ready for “Add to target list”.

    class ContactViewSet(MassmailListingMixin, ModelViewSet):
        model = Contact

That is all. Wagtail's own listings of users and snippets have boxes to tick already.
"""

from __future__ import annotations

from typing import Any

from django.template.loader import select_template
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn
from wagtail.admin.views.generic import IndexView

from massmail_plugin.admin.target_lists.columns import SelectColumn


class MassmailIndexViewMixin:
    """For an ``IndexView``: a box to tick in each row, and a footer with the bulk actions of the model."""

    @cached_property
    def columns(self) -> list[Any]:
        columns: list[Any] = super().columns  # type: ignore[misc]
        if any(isinstance(column, BulkActionsCheckboxColumn) for column in columns):
            return columns
        return [SelectColumn(), *columns]

    def get_template_names(self) -> list[str]:
        names: list[str] = super().get_template_names()  # type: ignore[misc]
        view: Any = self
        return names if view.results_only else ["massmail_plugin/target_lists/host_listing.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return {
            **context,
            # Ours adds the footer to whatever template the listing has.
            "listing_template": select_template(super().get_template_names()).template,  # type: ignore[misc]
            "select_all_label": _("Select everything found"),
        }


class MassmailListingMixin:
    """For a ``ModelViewSet`` (or any viewset whose listing is an ``IndexView``): put it first among the bases."""

    def construct_view(self, view_class: Any, **kwargs: Any) -> Any:
        if issubclass(view_class, IndexView) and not issubclass(view_class, MassmailIndexViewMixin):
            view_class = type(view_class.__name__, (MassmailIndexViewMixin, view_class), {})
        return super().construct_view(view_class, **kwargs)  # type: ignore[misc]
