"""From one list to another: copying and moving the selected people, and merging whole lists."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import FormView
from wagtail.admin import messages
from wagtail.log_actions import log

from massmail_plugin.admin.target_lists.bulk_action import ListForm
from massmail_plugin.admin.target_lists.confirming import ConfirmForm, ConfirmView
from massmail_plugin.admin.target_lists.permissions import lists_to_look_at, may_change
from massmail_plugin.admin.target_lists.removing import selected_members
from massmail_plugin.admin.target_lists.screens import OfTargetList, url_to
from massmail_plugin.audience.carrying import Carried, copy_people, move_people
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

    def get_back_url(self) -> str:
        return url_to("members", self.target_list.pk)

    @cached_property
    def selected(self) -> QuerySet[TargetListMember]:
        return selected_members(self.request, self.target_list)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user, "source": self.target_list}

    def carry(self, target: TargetListPage) -> Carried:
        raise NotImplementedError

    def act(self, form: ConfirmForm) -> str:
        assert isinstance(form, ListForm)
        with transaction.atomic():
            target = form.get_list()
            carried = self.carry(target)
            log_added(self.target_list, target, carried, self.request.user)
        return said(carried, self.target_list, target)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {**context, "can_choose_list": context["form"].can_choose, "title": self.get_page_title()}


class CopyMembers(_CarrySelected):
    """The selected people come into another list as well."""

    header_icon = "copy"
    submit_label = gettext_lazy("Copy")

    def get_page_title(self) -> str:
        return _("Copy to a list")

    def carry(self, target: TargetListPage) -> Carried:
        return copy_people(self.target_list, target, self.selected, added_by=self.request.user)


class MoveMembers(_CarrySelected):
    """The selected people come into another list, and out of this one."""

    header_icon = "arrow-right-full"
    submit_label = gettext_lazy("Move")

    def get_page_title(self) -> str:
        return _("Move to a list")

    def carry(self, target: TargetListPage) -> Carried:
        return moved(self.target_list, target, self.request.user, self.selected)


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
        user = self.request.user
        for source in form.cleaned_data["lists"]:
            with transaction.atomic():
                if form.cleaned_data["move"]:
                    carried = moved(source, self.target_list, user)
                else:
                    carried = copy_people(source, self.target_list, added_by=user)
                log_added(source, self.target_list, carried, user)
            messages.success(self.request, said(carried, source, self.target_list))
        return super().form_valid(form)


def moved(
    source: TargetListPage,
    target: TargetListPage,
    user: Any,
    members: QuerySet[TargetListMember] | None = None,
) -> Carried:
    """Move people, and log that they have left ``source``."""
    carried = move_people(source, target, members, added_by=user)
    data = {"number": carried.new + carried.already}
    log(source, "massmail.remove_members", user=user, data=data)
    return carried


def log_added(source: TargetListPage, target: TargetListPage, carried: Carried, user: Any) -> None:
    data = {"type": f"“{source.title}”", "number": carried.new, "already": carried.already}
    log(target, "massmail.add_members", user=user, data=data)


def said(carried: Carried, source: TargetListPage, target: TargetListPage) -> str:
    """Return what came of it, in sentences with numbers."""
    sentences = [_("%(number)d added to “%(list)s”.") % {"number": carried.new, "list": target.title}]
    if carried.already:
        sentences.append(
            ngettext(
                "%(number)d was in that list already.",
                "%(number)d were in that list already.",
                carried.already,
            )
            % {"number": carried.already}
        )
    if carried.stayed:
        sentences.append(
            ngettext(
                "%(number)d stayed behind, who has opted out of “%(list)s”.",
                "%(number)d stayed behind, who have opted out of “%(list)s”.",
                carried.stayed,
            )
            % {"number": carried.stayed, "list": source.title}
        )
    return " ".join(sentences)
