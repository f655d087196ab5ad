"""Wagtail's base page, or the one that the project has put in its place with ``WAGTAIL_PAGE_MODEL``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import swapper
from django.apps import apps
from django.db import models

# Wagtail says so in its models, too; ours may be imported before them.
swapper.set_app_prefix("wagtailcore", "wagtail")


def _base_page() -> type[Any]:
    """Import it from where it is defined: while models are being loaded, Django cannot be asked for it."""
    app_label, name = swapper.split(swapper.get_model_name("wagtailcore", "Page"))
    package = apps.get_app_config(app_label).name
    model: type[Any] = getattr(import_module(f"{package}.models"), name)
    return model


if TYPE_CHECKING:
    from wagtail.models import Page as BasePage
else:
    BasePage = _base_page()


def parent_link() -> models.OneToOneField[Any, Any]:
    """Return what Django would make by itself, if it did not name it after the base page of each project."""
    return models.OneToOneField(
        BasePage,
        on_delete=models.CASCADE,
        parent_link=True,
        auto_created=True,
        primary_key=True,
        serialize=False,
    )
