"""From one list to another: copying and moving the selected people, and merging whole lists."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from wagtail.admin import messages

from massmail_plugin.admin.target_lists.bulk_action import ListForm
from massmail_plugin.admin.target_lists.carrying import AT_ONCE, Carrying
from massmail_plugin.admin.target_lists.confirming import ConfirmForm, ConfirmView
from massmail_plugin.admin.target_lists.permissions import lists_to_look_at, may_change
from massmail_plugin.admin.target_lists.removing import selected_members
from massmail_plugin.admin.target_lists.screens import OfTargetList, url_to
from massmail_plugin.audience.models import TargetListMember, TargetListPage


class OtherListForm(ListForm):
    """An existing list, or the name of a new one; not the list that the people are in."""

    def __init__(self, *args: Any, source: TargetListPage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lists: Any = self.fields.get("target_list")
        if lists is not None:
            lists.queryset = lists.queryset.exclude(pk=source.pk)


class _CarrySelected(OfTargetList, ConfirmView):
    """Carries the selected people to a list that is chosen here."""

    changes_list = True
    form_class: Any = OtherListForm
    template_name = "massmail_plugin/target_lists/confirm_carry.html"

    moving = False
    #: The page that shows how far the workers are, when they carry the people.
    followed_at = ""

    def get_back_url(self) -> str:
        return self.followed_at or url_to("members", self.target_list.pk)

    @cached_property
    def selected(self) -> QuerySet[TargetListMember]:
        return selected_members(self.request, self.target_list)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user, "source": self.target_list}

    def act(self, form: ConfirmForm) -> str:
        assert isinstance(form, ListForm)
        with transaction.atomic():
            carrying = Carrying(self.target_list, form.get_list(), self.selected, self.request.user)
            if self.number > AT_ONCE:
                self.followed_at = carrying.by_workers(moving=self.moving)
                return carrying.promise
            return carrying.now(moving=self.moving)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {**context, "can_choose_list": context["form"].can_choose, "title": self.get_page_title()}


class CopyMembers(_CarrySelected):
    """The selected people come into another list as well."""

    header_icon = "copy"
    submit_label = gettext_lazy("Copy")

    def get_page_title(self) -> str:
        return _("Copy to a list")


class MoveMembers(_CarrySelected):
    """The selected people come into another list, and out of this one."""

    moving = True
    header_icon = "arrow-right-full"
    submit_label = gettext_lazy("Move")

    def get_page_title(self) -> str:
        return _("Move to a list")


class MergeForm(forms.Form):
    """The lists whose people come in, and whether they leave those."""

    lists = forms.ModelMultipleChoiceField(
        TargetListPage.objects.none(),
        label=gettext_lazy("Other lists"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Tick a list.")},
    )
    move = forms.BooleanField(
        label=gettext_lazy("Take the people out of those lists"),
        required=False,
        help_text=gettext_lazy("Empty lists can then be deleted."),
    )

    def __init__(self, *args: Any, user: Any, into: TargetListPage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        lists: Any = self.fields["lists"]
        lists.queryset = lists_to_look_at(user).exclude(pk=into.pk).order_by("title", "pk")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("move"):
            kept = [page.title for page in cleaned.get("lists", ()) if not may_change(self.user, page)]
            if kept:
                raise forms.ValidationError(
                    _(
                        "You may not take people out of: %(lists)s. Untick “%(move)s”, or leave these lists out."
                    )
                    % {"lists": ", ".join(kept), "move": self.fields["move"].label}
                )
        return cleaned


class MergeLists(OfTargetList, FormView):
    """Brings the people of other lists into this one."""

    changes_list = True
    header_icon = "group"
    form_class = MergeForm
    template_name = "massmail_plugin/target_lists/merge.html"

    def get_page_title(self) -> str:
        return _("Merge lists")

    def get_success_url(self) -> str:
        return url_to("members", self.target_list.pk)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user, "into": self.target_list}

    def form_valid(self, form: MergeForm) -> Any:
        moving = form.cleaned_data["move"]
        for source in form.cleaned_data["lists"]:
            carrying = Carrying(source, self.target_list, None, self.request.user)
            if source.members.count() > AT_ONCE:
                follow = messages.button(carrying.by_workers(moving=moving), _("Follow it"))
                messages.success(self.request, carrying.promise, buttons=[follow])
            else:
                messages.success(self.request, carrying.now(moving=moving))
        return super().form_valid(form)
