"""Which campaigns and target lists use a segment."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, may
from massmail_plugin.admin.target_lists.permissions import lists_to_look_at
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.mailings.models import Campaign


def uses_of(segment: Segment, user: Any) -> list[tuple[str, str]]:
    """Return name and address of every use, campaigns first; the address is empty where ``user`` may not look."""
    used = Q(segments=segment) | Q(excluded_segments=segment)
    campaigns = Campaign.objects.filter(used).distinct().order_by("name", "pk")
    may_look = any(may(user, action, Campaign) for action in LOOK)
    lists = TargetListPage.objects.filter(live_segments=segment).order_by("title", "pk")
    seen = set(lists_to_look_at(user).filter(live_segments=segment).values_list("pk", flat=True))
    return [
        *((str(each), names.own_page(names.CAMPAIGNS, each.pk) if may_look else "") for each in campaigns),
        *((str(each), url_to("members", each.pk) if each.pk in seen else "") for each in lists),
    ]
