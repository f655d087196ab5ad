"""Making and changing a segment: first whom it is about, then their filters, with the number that fits."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin import recipients
from massmail_plugin.admin import names
from massmail_plugin.admin.access import PolicyOf
from massmail_plugin.admin.screens import Create, Edit
from massmail_plugin.admin.segments.counting import number_in
from massmail_plugin.admin.segments.uses import uses_of
from massmail_plugin.audience.segments.criteria import UnusableSegment, type_of
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import why_unusable
from massmail_plugin.recipients.access import choosable_types, may_choose

_FORM = "massmail_plugin/segments/form.html"


class ChooseType(PolicyOf, PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """Asks whom a new segment is about; nobody is asked who has no choice."""

    permission_model = Segment
    permission_required = "add"
    page_title = gettext_lazy("New segment")
    header_icon = "crosshairs"
    template_name = "massmail_plugin/segments/choose_type.html"

    @cached_property
    def types(self) -> list[recipients.RecipientType]:
        return choosable_types(self.request.user)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if len(self.types) == 1:
            return redirect(_url("add_of_type", self.types[0].key))
        return super().get(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        index = {"url": _url("index"), "label": _("Segments")}
        return [*self.breadcrumbs_items, index, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        types = [(_url("add_of_type", each.key), each.label_plural) for each in self.types]
        any_types = bool(recipients.all_types())
        return super().get_context_data(types=types, any_types=any_types, index_url=_url("index"), **kwargs)


class CreateSegment(Create):
    """The form of a new segment of one type, whose key is in the URL."""

    template_name = _FORM

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        recipient_type = recipients.get(self.kwargs["type_key"])
        if recipient_type is None:
            raise Http404
        if not may_choose(request.user, recipient_type):
            raise PermissionDenied
        try:
            return super().dispatch(request, *args, **kwargs)
        except UnusableSegment as unusable:
            messages.error(request, str(unusable))
            return redirect(self.index_url_name)

    def get_page_subtitle(self) -> str:
        return _("Segment of %(types)s") % {
            "types": self.get_initial_form_instance().get_recipient_type_display()
        }

    def get_add_url(self) -> str:
        return _url("add_of_type", self.kwargs["type_key"])

    def get_initial_form_instance(self) -> Segment:
        return Segment(recipient_type=self.kwargs["type_key"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        segment = context["form"].instance
        return {
            **context,
            "recipient_type": segment.type,
            "number": number_in(context["form"]),
            "count_url": _url("count", segment.recipient_type),
        }


class EditSegment(Edit):
    """The form of a segment. Refused where nobody could see whom it lets in."""

    template_name = _FORM

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        segment = super().get_object(*args, **kwargs)
        if not may_choose(self.request.user, type_of(segment)):
            raise PermissionDenied
        return segment

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().dispatch(request, *args, **kwargs)
        except UnusableSegment as unusable:
            messages.error(request, str(unusable))
            return redirect(_url("inspect", kwargs["pk"]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        # As it is in the database: the form has written into this one what was sent.
        saved = Segment.objects.get(pk=self.object.pk)
        return {
            **context,
            "recipient_type": saved.type,
            "number": number_in(context["form"]),
            "count_url": _url("count_saved", saved.recipient_type, saved.pk),
            "unusable": "" if context["form"].is_bound else why_unusable(saved),
            "used": bool(uses_of(saved, self.request.user)),
        }


def _url(name: str, *args: Any) -> str:
    return reverse(f"{names.SEGMENTS}:{name}", args=args)
