"""The form of a segment: its name, the filters of its recipient type, and what it asks about mails."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.widgets import AdminAutoHeightTextInput

from massmail_plugin.audience.segments import behaviour
from massmail_plugin.audience.segments.criteria import as_it_was_typed, as_query, chosen_in, make_filters
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import why_unusable

#: Before the names of the host's filters, which may be anything, for example "name".
_FILTERS = "filter"


class SegmentForm(WagtailAdminModelForm):
    """Shows what was saved as it was typed, also what does not fit any more. Saves only what the forms read.

    Raises ``UnusableSegment`` if the host's filters cannot even be shown.
    """

    class Meta:
        model = Segment
        fields = ["name", "description"]
        widgets = {"description": AdminAutoHeightTextInput()}

    instance: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.language:
            self.instance.language = get_language() or ""
        self.criteria_forms  # noqa: B018

    @cached_property
    def filters(self) -> forms.BaseForm | None:
        """The filters of the type; None if it has none."""
        filterset = make_filters(self.instance, self._data_for(_FILTERS, self.instance.criteria), _FILTERS)
        return filterset.form if filterset is not None else None

    @cached_property
    def questions(self) -> list[behaviour.Behaviour]:
        """What may be asked about mails."""
        saved = self.instance.behaviour
        found = []
        for question in behaviour.all_behaviours():
            chosen = saved.get(question.key, {})
            form = question(self._data_for(question.key, chosen), prefix=question.key)
            form.offer(self.for_user, chosen)
            found.append(form)
        return found

    @cached_property
    def criteria_forms(self) -> list[forms.BaseForm]:
        return [*([self.filters] if self.filters is not None else []), *self.questions]

    @property
    def media(self) -> forms.Media:
        media: forms.Media = super().media
        for form in self.criteria_forms:
            media += form.media
        return media

    @property
    def faults(self) -> list[str]:
        """What is wrong with what was chosen, a sentence each; the name and the like do not matter."""
        self.errors  # noqa: B018
        found = [
            f"{form[name].label}: {error}" if name in form.fields else str(error)
            for form in self.criteria_forms
            for name, errors in form.errors.items()
            for error in errors
        ]
        return found or [str(error) for error in self.non_field_errors()]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        with as_it_was_typed(self.instance):
            valid = [form.is_valid() for form in self.criteria_forms]
        self.instance.criteria = self._chosen(self.filters)
        self.instance.behaviour = {
            question.key: chosen for question in self.questions if (chosen := self._chosen(question))
        }
        if not all(valid):
            raise ValidationError(gettext("Something is wrong with what you have chosen: see below."))
        if why := why_unusable(self.instance):
            raise ValidationError(why)
        return cleaned

    def _data_for(self, prefix: str, saved: dict[str, list[str]]) -> QueryDict | None:
        if self.is_bound:
            return self.data
        return as_query(saved, prefix) if self.instance.pk else None

    def _chosen(self, form: forms.BaseForm | None) -> dict[str, list[str]]:
        return chosen_in(form, self.data) if form is not None else {}
