"""The part of a sender account's form that says how much it sends, and when."""

from __future__ import annotations

import json
from collections.abc import Iterable

from django import forms
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.localization import get_available_admin_time_zones
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel

_ONLY_WITH_HOURS = {
    "data-w-rules-target": "show",
    "data-w-rules": json.dumps({"working_hours_only": ["on"]}),
}


def limit_panels() -> list[MultiFieldPanel]:
    """Return the panels; the form around them runs Wagtail's rules."""
    return [
        MultiFieldPanel(
            [
                FieldRowPanel(["per_minute", "per_hour", "per_day"]),
                "spread_evenly",
                FieldRowPanel(["spacing_from", "spacing_until"]),
            ],
            heading=_("How much"),
            help_text=_(
                "Ask your provider how many mails it takes from you, and stay below that: whoever sends too much is "
                "taken for a spammer. Leave a limit empty if there is none."
            ),
        ),
        MultiFieldPanel(
            [
                "working_hours_only",
                FieldRowPanel(["work_from", "work_until"], attrs=_ONLY_WITH_HOURS),
                FieldPanel("working_days", attrs=_ONLY_WITH_HOURS),
                "time_zone",
            ],
            heading=_("When"),
        ),
    ]


def working_days_field() -> forms.TypedMultipleChoiceField:
    return forms.TypedMultipleChoiceField(
        label=_("Working days"),
        choices=WEEKDAYS.items(),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Holidays are entered for all accounts under Settings › Mass mailing."),
    )


def time_zone_choices(stored: str) -> Iterable[tuple[str, str]]:
    """Return the time zones to choose from; ``stored`` among them, even if it is unusual."""
    names = {*get_available_admin_time_zones(), stored} - {""}
    sites = gettext("This site's: %(zone)s") % {"zone": timezone.get_default_timezone_name()}
    return [("", sites), *((name, name.replace("_", " ")) for name in sorted(names))]
