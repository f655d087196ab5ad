"""The panel of the template form that lists every placeholder, ready to be copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import Panel

from massmail_plugin import recipients
from massmail_plugin.content.lint import FIXED_VARIABLES


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One row: what to write, and what stands there in the mail."""

    source: str
    meaning: str | Promise


_MEANINGS = {
    "campaign.name": _("the campaign's name"),
    "preferences_url": _(
        "the page where the person chooses which mails to get; use it as the target of a link"
    ),
    "sender.email": _("the From address of the account it leaves through"),
    "sender.name": _("the From name of that account"),
    "today": _("the day on which the mail is sent"),
    "unsubscribe_url": _("the person's opt-out page; use it as the target of a link"),
    "view_url": _("this mail in the browser; use it as the target of a link"),
}


class PlaceholdersPanel(Panel):
    """Read-only; belongs to no field of the model."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "massmail_plugin/admin/placeholders.html"

        def get_context_data(self, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
            context = super().get_context_data(parent_context)
            groups = [
                (_("The person"), list(contact_placeholders())),
                (_("The mail"), list(mail_placeholders())),
            ]
            return {**context, "groups": [(heading, rows) for heading, rows in groups if rows]}


def contact_placeholders() -> Iterator[Placeholder]:
    """Yield a row for each merge field, with the recipient types that have it."""
    types = recipients.all_types()
    paths = dict.fromkeys(path for kind in types for path in kind.merge_fields)
    for path in paths:
        having = [kind.label_plural for kind in types if path in kind.merge_fields]
        yield Placeholder("{{ contact." + path.replace("__", ".") + " }}", ", ".join(having))


def mail_placeholders() -> Iterator[Placeholder]:
    """Yield a row for each variable that is the same for everybody, or a link."""
    for name in FIXED_VARIABLES:
        yield Placeholder("{{ " + name + " }}", _MEANINGS[name])
    yield Placeholder(
        "{{ tracking.name }}",
        _("a tracking URL of the campaign, by its name; use it as the target of a link"),
    )
