"""What the screens about one mailing share: the object with its permission check, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import BaseObjectMixin, WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, ScopedObject
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.progress import Progress, progress_of


class MailingScreen(
    PermissionCheckedMixin, ScopedObject, WagtailAdminTemplateMixin, BaseObjectMixin, TemplateView
):
    """A page about one mailing, one step away from its own page."""

    model = Mailing
    any_permission_required: Sequence[str] | None = LOOK
    header_icon = "mail"
    #: What the page does, for the title and the breadcrumbs.
    step: Any = ""

    def get_base_object_queryset(self) -> Any:
        return Mailing.objects.select_related("campaign", "template", "owner")

    @cached_property
    def progress(self) -> Progress:
        return progress_of([self.object.pk])[self.object.pk]

    def get_page_title(self) -> str:
        return str(self.step)

    def get_page_subtitle(self) -> str:
        return str(self.object)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{names.MAILINGS}:index"), "label": _("Mailings")},
            {"url": names.own_page(names.MAILINGS, self.object.pk), "label": str(self.object)},
            {"url": "", "label": str(self.step)},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        back = names.own_page(names.MAILINGS, self.object.pk)
        return {**super().get_context_data(**kwargs), "mailing": self.object, "back_url": back}
