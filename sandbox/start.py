"""The front page of the company that does not exist."""

from __future__ import annotations

from typing import Any

from django.views.generic import TemplateView

from massmail_plugin.audience.joining import public_lists


class Start(TemplateView):
    template_name = "start.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "public_lists": public_lists()}
