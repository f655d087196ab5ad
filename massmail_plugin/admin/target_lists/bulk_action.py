"""“Add to target list” under the host's own listings, and under Wagtail's listing of users.

Registered for the models of all recipient types; ``massmail_plugin.admin.listing`` gives a listing the boxes
to tick that it needs.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import classproperty
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.views.bulk_action import BulkAction
from wagtail.log_actions import log

from massmail_plugin import recipients
from massmail_plugin.admin.target_lists.adding import add_and_tell, choosable
from massmail_plugin.admin.target_lists.confirming import ConfirmForm
from massmail_plugin.admin.target_lists.permissions import (
    changeable_lists,
    folders_to_add_to,
    may_change,
)
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.admin.target_lists.selection import (
    SelectionRefused,
    everything_in,
    listing_at,
    ticked,
)
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import may_choose


class ListForm(ConfirmForm):
    """An existing list, or the name of a new one."""

    target_list = forms.ModelChoiceField(
        TargetListPage.objects.none(),
        label=gettext_lazy("Target list"),
        required=False,
        empty_label=gettext_lazy("Choose a list"),
    )
    new_list = forms.CharField(
        label=gettext_lazy("Or the name of a new list"), required=False, max_length=255
    )
    folder = forms.ModelChoiceField(
        TargetListIndexPage.objects.none(),
        label=gettext_lazy("Folder of the new list"),
        required=False,
        empty_label=None,
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        lists: forms.ModelChoiceField = self.fields["target_list"]  # type: ignore[assignment]
        lists.queryset = changeable_lists(user)
        folders = folders_to_add_to(user)
        folder: forms.ModelChoiceField = self.fields["folder"]  # type: ignore[assignment]
        folder.queryset, folder.initial = folders, folders.first()
        if len(folders) < 2:
            del self.fields["folder"]
        if not folders:
            del self.fields["new_list"]
        elif not lists.queryset.exists():
            del self.fields["target_list"]
            self.fields["new_list"].label = _("Name of the new list")

    @property
    def can_choose(self) -> bool:
        """Whether there is any list that this user may put people in."""
        lists: Any = self.fields.get("target_list")
        return "new_list" in self.fields or bool(lists and lists.queryset.exists())

    def clean_target_list(self) -> TargetListPage | None:
        target_list = self.cleaned_data["target_list"]
        if target_list and not may_change(self.user, target_list):
            raise forms.ValidationError(
                _("This list is locked. Choose another one, or unlock it on its page.")
            )
        return target_list

    def clean_new_list(self) -> str:
        title = str(self.cleaned_data["new_list"])
        if title and TargetListPage.objects.filter(title__iexact=title).exists():
            raise forms.ValidationError(
                _("There is a list with this name already. Choose it, or use another name.")
            )
        return title

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = [name for name in ("target_list", "new_list") if cleaned.get(name)]
        if len(given) != 1 and not self.errors:
            raise forms.ValidationError(
                _("Choose a list, or type the name of a new one.")
                if not given
                else _("Choose a list or name a new one, not both.")
            )
        return cleaned

    def get_list(self) -> TargetListPage:
        """Return the chosen list; a new one is made now."""
        chosen: TargetListPage | None = self.cleaned_data.get("target_list")
        if chosen:
            return chosen
        folder = self.cleaned_data.get("folder") or folders_to_add_to(self.user)[0]
        page: TargetListPage = folder.add_child(
            instance=TargetListPage(title=self.cleaned_data["new_list"], owner=self.user)
        )
        log(page, "wagtail.create", user=self.user)
        return page


class AddToTargetList(BulkAction):
    """Puts the selected records in a target list."""

    display_name = gettext_lazy("Add to target list")
    action_type = "add_to_target_list"
    aria_label = gettext_lazy("Add to target list: the selected records")
    action_priority = 15
    template_name = "massmail_plugin/target_lists/add_to_target_list.html"
    form_class = ListForm
    model: type[Model]

    @classproperty
    def models(cls) -> list[type[Model]]:  # noqa: N805
        return [recipient_type.model for recipient_type in recipients.all_types()]

    @cached_property
    def recipient_type(self) -> RecipientType:
        recipient_type = recipients.for_model(self.model)
        assert recipient_type is not None
        return recipient_type

    @cached_property
    def records(self) -> QuerySet[Any]:
        """What was selected, also what this user may not choose."""
        ids = self.request.GET.getlist("id")
        if "all" in ids:
            return everything_in(listing_at(self.request, self.next_url, self.model), self.request)
        return ticked(self.model, ids)

    @cached_property
    def selected(self) -> QuerySet[Any]:
        return choosable(self.recipient_type, self.request.user, self.records)

    @cached_property
    def number(self) -> int:
        return self.selected.count()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_choose(request.user, self.recipient_type):
            raise PermissionDenied
        try:
            return super().dispatch(request, *args, **kwargs)
        except SelectionRefused as refusal:
            messages.error(request, str(refusal))
            return redirect(self._back())

    def _back(self) -> str:
        # Without a place to go back to, Wagtail takes this action's own address, which would refuse for ever.
        return url_to("index") if self.next_url == self.request.path else self.next_url

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "selected": self.number, "user": self.request.user}

    def get_actionable_objects(self) -> tuple[list[Any], dict[str, Any]]:
        # The base class would load every selected record; ours works on primary keys, in SQL.
        return [], {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {
            **context,
            "number": self.number,
            "left_out": self.records.count() - self.number,
            "recipient_type": self.recipient_type,
            "can_choose_list": context["form"].can_choose,
            "next": self._back(),
        }

    def form_valid(self, form: ListForm) -> HttpResponse:
        with transaction.atomic():
            target_list = form.get_list()
            message = add_and_tell(target_list, self.recipient_type, self.selected, self.request.user)
        button = messages.button(url_to("members", target_list.pk), _("Show the list"))
        messages.success(self.request, message, buttons=[button])
        return redirect(self._back())
