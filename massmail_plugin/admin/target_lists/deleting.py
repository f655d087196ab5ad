"""A list that a campaign uses is kept: import this module from ``wagtail_hooks``.

Wagtail does not count many-to-many relations as uses. Without this an excluded list could vanish unnoticed,
and the people in it would get the next mailing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.models import AbstractPage

from massmail_plugin.admin.kept import Kept, kept_page, used_by
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.mailings.models import Campaign


def refusals(pages: Iterable[Any], user: Any) -> Iterator[Kept]:
    """Yield a refusal for each list at or below ``pages`` that a campaign uses."""
    for page in pages:
        for target_list in TargetListPage.objects.descendant_of(page, inclusive=True):
            uses = Q(target_lists=target_list) | Q(excluded_lists=target_list)
            why = _("“%(name)s” is kept, because campaigns use it:") % {"name": target_list.title}
            advice = _("Take the list out of them first.")
            if kept := used_by((why, advice), Campaign.objects.filter(uses).distinct(), user):
                yield kept


@hooks.register("before_delete_page")
def keep_list_in_use(request: HttpRequest, page: Any) -> HttpResponse | None:
    return _refuse(request, [page])


@hooks.register("before_bulk_action")
def keep_lists_in_use(
    request: HttpRequest, action_type: str, objects: list[Any], action: Any
) -> HttpResponse | None:
    is_deletion = action_type == "delete"
    return _refuse(request, [item for item in objects if is_deletion and isinstance(item, AbstractPage)])


def _refuse(request: HttpRequest, pages: list[Any]) -> HttpResponse | None:
    kept = list(refusals(pages, request.user))
    return kept_page(request, kept, reverse("massmail_target_lists:index")) if kept else None
