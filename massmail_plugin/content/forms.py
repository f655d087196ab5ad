"""The form of the template editor."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm


class EmailTemplateForm(WagtailAdminModelForm):
    """Adds the choice of whom to preview the mail as, which is not stored."""

    preview_as = forms.CharField(
        label=_("Preview as"),
        required=False,
        max_length=200,
        help_text=_("A name or an e-mail address. The preview then shows what this person will get."),
    )

    def _post_clean(self) -> None:
        super()._post_clean()
        self.instance.preview_as = self.cleaned_data.get("preview_as", "")

    def save(self, commit: bool = True) -> Any:
        if self.instance.pk is None and self.for_user is not None:
            # A copy belongs to whoever copies.
            self.instance.owner = self.for_user
        return super().save(commit)
