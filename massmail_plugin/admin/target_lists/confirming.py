"""The step between selecting people and acting on them: it says the number and asks again."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import FormView
from wagtail.admin import messages
from wagtail.admin.utils import get_valid_next_url_from_request

from massmail_plugin.admin.target_lists.selection import SelectionRefused


class ConfirmForm(forms.Form):
    """Carries the number that was shown, so that a selection that has changed since is shown again."""

    number = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, selected: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.selected = selected
        self.fields["number"].initial = selected

    def clean_number(self) -> int:
        if self.cleaned_data["number"] != self.selected:
            # Shown with the new number.
            self.data = {**self.data, "number": str(self.selected)}
            raise forms.ValidationError(
                _("The selection has changed meanwhile: it is %(number)d now. Please confirm again.")
                % {"number": self.selected}
            )
        return self.selected


class ConfirmView(FormView):
    """Mixed into a view that has a selection: GET shows the number, POST acts."""

    form_class = ConfirmForm
    template_name = "massmail_plugin/target_lists/confirm.html"
    submit_label: Any = ""

    @cached_property
    def selected(self) -> QuerySet[Any]:
        """The selected records. Raises SelectionRefused."""
        raise NotImplementedError

    @cached_property
    def number(self) -> int:
        return self.selected.count()

    def act(self, form: ConfirmForm) -> str:
        """Do it. Returns what to tell."""
        raise NotImplementedError

    def get_back_url(self) -> str:
        """Return where to go afterwards, and when somebody changes their mind."""
        raise NotImplementedError

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]
        except SelectionRefused as refusal:
            messages.error(request, str(refusal))
            return redirect(get_valid_next_url_from_request(request) or self.get_back_url())

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "selected": self.number}

    def form_valid(self, form: ConfirmForm) -> HttpResponse:
        messages.success(self.request, self.act(form))
        return redirect(self.get_back_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            number=self.number,
            submit_label=self.submit_label,
            submit_url=f"{self.request.path}?{self.request.META['QUERY_STRING']}",
            back_url=get_valid_next_url_from_request(self.request) or self.get_back_url(),
            **kwargs,
        )
