"""The forms of a target list's page."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminPageForm
from wagtail.admin.forms.pages import CopyForm

from massmail_plugin.audience.choices import SegmentsField


class TargetListForm(WagtailAdminPageForm):
    live_segments = SegmentsField(
        label=_("Live segments"),
        help_text=_(
            "Whoever is in these segments when a mailing starts is in this list as well. Nobody has to keep it up."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "live_segments" in self.fields:
            field: Any = self.fields["live_segments"]
            field.offer(self.for_user, self.instance.live_segments.all() if self.instance.pk else ())
        for name in ("sign_up_intro", "sign_up_thanks", "goodbye"):
            _name_editor(self.fields.get(name))


class CopyPrivatePageForm(CopyForm):
    """Without aliases: one would follow each new segment of its list, and know nothing of who leaves that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("alias", None)


def _name_editor(field: Any) -> None:
    """Give Wagtail's rich text editor a name for screen readers: its label is not connected to it."""
    options = getattr(field.widget, "options", None) if field else None
    if isinstance(options, dict):
        options["ariaLabel"] = str(field.label)
