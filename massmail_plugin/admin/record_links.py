"""Where a record of the host's is edited: in Wagtail's admin, or in Django's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from wagtail.admin.admin_url_finder import AdminURLFinder


def record_links(user: Any) -> Callable[[Model], str]:
    """Return a function that gives the address at which ``user`` may look at a record; empty: nowhere."""
    in_wagtail = AdminURLFinder(user).get_edit_url
    return lambda record: in_wagtail(record) or _in_django_admin(user, record)


def _in_django_admin(user: Any, record: Model) -> str:
    # Whoever is no staff gets Django's login page.
    if not apps.is_installed("django.contrib.admin") or not user.is_staff:
        return ""
    from django.contrib.admin.sites import all_sites

    options = record._meta
    names = [f"{options.app_label}.{get_permission_codename(verb, options)}" for verb in ("view", "change")]
    if not any(user.has_perm(name) for name in names):
        return ""
    for site in all_sites:
        if site.is_registered(type(record)):
            try:
                name = f"{site.name}:{options.app_label}_{options.model_name}_change"
                return reverse(name, args=[quote(record.pk)])
            except NoReverseMatch:
                continue  # The project does not show this site.
    return ""
