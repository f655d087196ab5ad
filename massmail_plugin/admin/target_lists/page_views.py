"""Wagtail's own views of a target list's page, without what is said about public pages."""

from __future__ import annotations

from typing import Any

from wagtail.admin.ui.side_panels import PageStatusSidePanel
from wagtail.admin.views.pages.create import CreateView
from wagtail.admin.views.pages.edit import EditView

_PRIVACY = "wagtailadmin/shared/side_panels/includes/status/privacy.html"


class WithoutPrivacy:
    """Mixed into views with a status panel: it would say "Visible to all", which is not true of private pages."""

    def get_side_panels(self) -> Any:
        panels = super().get_side_panels()  # type: ignore[misc]
        for panel in panels:
            if isinstance(panel, PageStatusSidePanel):
                _hide_privacy(panel)
        return panels


def _hide_privacy(panel: PageStatusSidePanel) -> None:
    templates_of = panel.get_status_templates

    def get_status_templates(context: dict[str, Any]) -> list[str]:
        return [name for name in templates_of(context) if name != _PRIVACY]

    # Wagtail has no setting for it, and the views make the panel themselves.
    panel.get_status_templates = get_status_templates


class CreateTargetList(WithoutPrivacy, CreateView):
    """The form of a new list."""


class EditTargetList(WithoutPrivacy, EditView):
    """The form of a list."""
