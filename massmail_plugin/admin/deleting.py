"""Refuses to delete what is in use where Wagtail's own screens delete: import it from ``wagtail_hooks``.

Templates are snippets, deleted one by one or several at once. Users take their sender accounts with them.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from wagtail import hooks

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin.kept import accounts_kept, kept_page, why_kept
from massmail_plugin.content.models import EmailTemplate


@hooks.register("before_delete_snippet")
def keep_templates_in_use(request: HttpRequest, snippets: list[Any]) -> HttpResponse | None:
    templates = [each for each in snippets if isinstance(each, EmailTemplate)]
    kept = [found for each in templates if (found := why_kept(each, request.user))]
    back_url = reverse(EmailTemplate.snippet_viewset.get_url_name("list")) if kept else ""
    return kept_page(request, kept, back_url) if kept else None


@hooks.register("before_delete_user")
def keep_user_in_need(request: HttpRequest, user: Any) -> HttpResponse | None:
    return _refuse(request, [user])


@hooks.register("before_bulk_action")
def keep_users_in_need(
    request: HttpRequest, action_type: str, objects: list[Any], action: Any
) -> HttpResponse | None:
    is_deletion = action_type == "delete" and action.models == [get_user_model()]
    return _refuse(request, objects) if is_deletion else None


def _refuse(request: HttpRequest, users: list[Any]) -> HttpResponse | None:
    kept = []
    for user in users:
        accounts = SenderAccount.objects.filter(owner=user)
        if found := accounts_kept(user.get_full_name() or user.get_username(), accounts, request.user):
            kept.append(found)
    return kept_page(request, kept, reverse("wagtailusers_users:index")) if kept else None
