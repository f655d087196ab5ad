"""Choosing any number of things in a form, also out of many."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_lazy

from massmail_plugin.audience.segments.access import segments_to_use
from massmail_plugin.audience.segments.models import Segment


class SearchableCheckboxes(forms.CheckboxSelectMultiple):
    """Checkboxes in a box that scrolls, with a search field where scripts run."""

    template_name = "massmail_plugin/admin/searchable_checkboxes.html"
    #: Tells one box from another to those who do not see them.
    group_label: Any = ""
    #: What to say when there is nothing to choose from: how to come by some.
    nothing_to_choose: Any = ""
    #: Where the search field asks for what is not in the box; empty: everything is.
    find_url: Any = ""

    def get_context(self, *args: Any) -> dict[str, Any]:
        own = {
            "group_label": self.group_label,
            "nothing_to_choose": self.nothing_to_choose,
            "find_url": self.find_url,
        }
        return {**super().get_context(*args), **own}

    @cached_property
    def media(self) -> forms.Media:
        return forms.Media(css={"all": ["massmail_plugin/admin.css"]}, js=["massmail_plugin/choices.js"])


class ManyField(forms.ModelMultipleChoiceField):
    """Any number of records of one model, or none."""

    widget: type[SearchableCheckboxes] = SearchableCheckboxes
    nothing_to_choose: Any = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(self.model._default_manager.none(), required=False, **kwargs)
        self.widget.group_label = self.label
        self.widget.nothing_to_choose = self.nothing_to_choose

    model: Any


class SegmentsField(ManyField):
    """Any number of segments, by name, each with whom it chooses from."""

    model = Segment
    nothing_to_choose = gettext_lazy("There is no segment that you may use. Make one under Segments.")

    def offer(self, user: Any, chosen: Any = ()) -> None:
        """Let ``user`` choose among what they may use. What others have chosen stays, so that saving loses nothing."""
        within_reach = segments_to_use(user).values("pk")
        self.queryset = Segment.objects.filter(
            Q(pk__in=within_reach) | Q(pk__in=[each.pk for each in chosen])
        )

    def label_from_instance(self, segment: Any) -> str:
        return gettext("%(name)s (%(types)s)") % {
            "name": segment.name,
            "types": segment.get_recipient_type_display(),
        }
