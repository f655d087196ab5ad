"""The form of a campaign: its lists are ticked in a box that can be searched."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_lazy, ngettext
from wagtail.admin.forms import WagtailAdminModelForm

from massmail_plugin.audience.models import TargetListPage


class SearchableCheckboxes(forms.CheckboxSelectMultiple):
    """Checkboxes in a box that scrolls, with a search field where scripts run."""

    template_name = "massmail_plugin/admin/searchable_checkboxes.html"

    @cached_property
    def media(self) -> forms.Media:
        return forms.Media(css={"all": ["massmail_plugin/admin.css"]}, js=["massmail_plugin/choices.js"])


class TargetListsField(forms.ModelMultipleChoiceField):
    """Any number of target lists, by title, with how many people each has."""

    widget = SearchableCheckboxes

    def __init__(self, **kwargs: Any) -> None:
        lists = TargetListPage.objects.annotate(members_number=Count("members")).order_by("title")
        super().__init__(lists, required=False, **kwargs)

    def label_from_instance(self, target_list: Any) -> str:
        number = target_list.members_number
        people = ngettext("%(number)d person", "%(number)d people", number) % {"number": number}
        return f"{target_list.title} ({people})"


class CampaignForm(WagtailAdminModelForm):
    target_lists = TargetListsField(
        label=gettext_lazy("Target lists"),
        help_text=gettext_lazy("Everybody in these lists gets the mailings, each address once."),
    )
    excluded_lists = TargetListsField(
        label=gettext_lazy("Excluded lists"),
        help_text=gettext_lazy("Nobody in these lists gets a mail, whatever other list they are in."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        both = set(cleaned.get("target_lists") or ()) & set(cleaned.get("excluded_lists") or ())
        if both:
            names = ", ".join(sorted(target_list.title for target_list in both))
            message = gettext("Chosen and excluded at once: %(names)s. Untick one of the two.") % {
                "names": names
            }
            self.add_error("excluded_lists", ValidationError(message))
        return cleaned
