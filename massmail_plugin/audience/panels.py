"""What the page editor shows of a target list's people."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import Panel


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
                context["members_url"] = reverse("massmail_target_lists:members", args=[self.instance.pk])
                context["add_url"] = reverse("massmail_target_lists:add_people", args=[self.instance.pk])
            return context
