"""What the page editor shows of a target list's people, and of its public page."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import Panel

from massmail_plugin import preferences


class MembersPanel(Panel):
    """How many people are in the list, and the way to them. A new list has no people yet."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"heading": _("People"), "icon": "group", **kwargs})

    class BoundPanel(Panel.BoundPanel):
        template_name = "massmail_plugin/target_lists/members_panel.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            if self.instance.pk:
                context["number"] = self.instance.members.count()
                context["has_segments"] = self.instance.live_segments.exists()
                context["members_url"] = reverse("massmail_target_lists:members", args=[self.instance.pk])
                context["add_url"] = reverse("massmail_target_lists:add_people", args=[self.instance.pk])
            return context


class PublicPagePanel(Panel):
    """The way to the list's public page, once it has one."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "massmail_plugin/target_lists/public_page_panel.html"

        def is_shown(self) -> bool:
            return bool(self.instance.pk and self.instance.is_public and self.instance.live)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            path = reverse("massmail:sign_up", args=[self.instance.pk])
            return {**context, "path": path, "address": f"{preferences.load().base_url}{path}"}
