"""The form of a campaign: its lists are ticked in a box that can be searched."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_lazy, ngettext
from wagtail.admin.forms import WagtailAdminModelForm

from massmail_plugin.admin.target_lists.permissions import lists_to_look_at
from massmail_plugin.audience.models import TargetListPage


class SearchableCheckboxes(forms.CheckboxSelectMultiple):
    """Checkboxes in a box that scrolls, with a search field where scripts run."""

    template_name = "massmail_plugin/admin/searchable_checkboxes.html"
    #: Tells one box from another to those who do not see them.
    group_label: Any = ""

    def get_context(self, *args: Any) -> dict[str, Any]:
        return {**super().get_context(*args), "group_label": self.group_label}

    @cached_property
    def media(self) -> forms.Media:
        return forms.Media(css={"all": ["massmail_plugin/admin.css"]}, js=["massmail_plugin/choices.js"])


class TargetListsField(forms.ModelMultipleChoiceField):
    """Any number of target lists, by title, with how many people each has."""

    widget = SearchableCheckboxes

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(TargetListPage.objects.none(), required=False, **kwargs)
        self.widget.group_label = self.label

    def offer(self, lists: QuerySet[Any]) -> None:
        """Let people choose among ``lists``."""
        self.queryset = lists.annotate(members_number=Count("members")).order_by("title")

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        campaign: Any = self.instance
        self._offer("target_lists", Q(campaigns=campaign.pk))
        self._offer("excluded_lists", Q(campaigns_excluding=campaign.pk))

    def _offer(self, name: str, already_chosen: Q) -> None:
        """Offer the lists that the user may look at: the log of a mailing shows everybody in them.

        What somebody else has chosen stays, so that saving the form loses nothing.
        """
        within_reach = lists_to_look_at(self.for_user).values("pk")
        chosen = TargetListPage.objects.filter(already_chosen).values("pk") if self.instance.pk else ()
        field: Any = self.fields[name]
        field.offer(TargetListPage.objects.filter(Q(pk__in=within_reach) | Q(pk__in=chosen)))

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
