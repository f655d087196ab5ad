"""What the audit log says about the verbs of a sender account."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

_ACTIONS = [
    ("massmail.switch_on", _("Switch on"), _("Switched on")),
    ("massmail.switch_off", _("Switch off"), _("Switched off")),
]


def register(actions: Any) -> None:
    """Register every action with Wagtail's log registry; called by its hook."""
    for name, label, message in _ACTIONS:
        actions.register_action(name, label, message)
