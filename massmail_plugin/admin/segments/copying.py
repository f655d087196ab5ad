"""“Copy into a target list”: whoever is in the segment now, as members who stay."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK
from massmail_plugin.admin.screens import Step
from massmail_plugin.admin.target_lists.adding import add_and_tell, choosable
from massmail_plugin.admin.target_lists.bulk_action import ListForm
from massmail_plugin.admin.target_lists.confirming import ConfirmForm, ConfirmView
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.admin.target_lists.selection import SelectionRefused
from massmail_plugin.audience.record_sets import in_any
from massmail_plugin.audience.segments.criteria import UnusableSegment, type_of
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import people_of
from massmail_plugin.audience.spelled import with_address
from massmail_plugin.recipients.access import may_choose
from massmail_plugin.recipients.leaving import opt_outs_of


class CopyPeople(ConfirmView, Step):
    model = Segment
    screens = names.SEGMENTS
    any_permission_required = LOOK
    header_icon = "copy"
    step = _("Copy into a target list")
    submit_label = _("Copy")
    form_class: Any = ListForm
    template_name = "massmail_plugin/segments/copy.html"
    #: The list that it went into.
    copied_to: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.object.type and not may_choose(request.user, self.object.type):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def people(self) -> QuerySet[Any]:
        try:
            return people_of(self.object)
        except UnusableSegment as unusable:
            raise SelectionRefused(str(unusable)) from unusable

    @cached_property
    def choosable(self) -> QuerySet[Any]:
        """Those of its people whom this user may put in a list."""
        people = self.people
        return choosable(type_of(self.object), self.request.user, people)

    @cached_property
    def selected(self) -> QuerySet[Any]:
        """Those of them who have not left the segment: under the list's name its mails would reach them again."""
        left = opt_outs_of([self.object.consent_scope.key]).values("address__key")
        return self.choosable.exclude(in_any(with_address(self.people, type_of(self.object).email, left)))

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user}

    def act(self, form: ConfirmForm) -> str:
        assert isinstance(form, ListForm)
        with transaction.atomic():
            self.copied_to = form.get_list()
            return add_and_tell(self.copied_to, type_of(self.object), self.selected, self.request.user)

    def get_back_url(self) -> str:
        return url_to("members", self.copied_to.pk) if self.copied_to else self.back_url

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        seen = self.choosable.count()
        return {
            **context,
            "segment": self.object,
            "unseen": self.people.count() - seen,
            "left": seen - self.number,
            "can_choose_list": context["form"].can_choose,
        }
