"""What the screens about one mailing share: the object with its permission check, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.functional import cached_property

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK
from massmail_plugin.admin.screens import Step
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.progress import Progress, progress_of


class MailingScreen(Step):
    """A page about one mailing."""

    model = Mailing
    screens = names.MAILINGS
    any_permission_required: Sequence[str] | None = LOOK
    header_icon = "mail"

    def get_base_object_queryset(self) -> Any:
        return Mailing.objects.select_related("campaign", "template", "owner")

    @cached_property
    def progress(self) -> Progress:
        return progress_of([self.object.pk])[self.object.pk]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "mailing": self.object, "back_url": self.back_url}
