"""The recipient types of this project, found in the ``massmail.py`` modules of installed apps."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

from massmail_plugin.recipients.types import RecipientType

_types: dict[str, RecipientType] = {}


def register(model: type[Model]) -> Callable[[type[RecipientType]], type[RecipientType]]:
    """Class decorator: makes ``model`` mailable as the decorated :class:`RecipientType` says."""

    def decorate(recipient_type_class: type[RecipientType]) -> type[RecipientType]:
        recipient_type = recipient_type_class(model)
        known = _types.get(recipient_type.key)
        if known is not None and type(known) is not recipient_type_class:
            raise ImproperlyConfigured(
                f"{model.__name__} is registered twice with massmail_plugin: as "
                f"{type(known).__name__} and as {recipient_type_class.__name__}. Keep one of them."
            )
        _types[recipient_type.key] = recipient_type
        return recipient_type_class

    return decorate


def all_types() -> list[RecipientType]:
    """Return every registered recipient type, in order of registration; ours after the host's own."""
    return sorted(_types.values(), key=lambda one: one.model._meta.app_label == "massmail_plugin")


def get(key: str) -> RecipientType | None:
    """Return the recipient type with this key ("app_label.modelname"), or None if the host has dropped it."""
    return _types.get(key)


def for_model(model: type[Model]) -> RecipientType | None:
    """Return the recipient type of a host model, or None."""
    return _types.get(model._meta.label_lower)
