"""What the audit log says about the verbs of a mailing. Wagtail refuses to log an action that is not registered."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

_ACTIONS = [
    ("massmail.release", _("Send"), _("Released for sending")),
    ("massmail.start", _("Start"), _("Started")),
    ("massmail.withdraw", _("Withdraw"), _("Taken back to draft")),
    ("massmail.pause", _("Pause"), _("Paused")),
    ("massmail.hold_back", _("Hold back"), _("Paused by itself")),
    ("massmail.resume", _("Resume"), _("Resumed")),
    ("massmail.cancel", _("Cancel"), _("Cancelled")),
    ("massmail.retry", _("Retry failed"), _("Failed mails queued again")),
    ("massmail.count_as_sent", _("Count as sent"), _("Mails in doubt counted as sent")),
    ("massmail.send_again", _("Send again"), _("Mails in doubt queued again")),
]


def register(actions: Any) -> None:
    """Register every action with Wagtail's log registry; called by its hook."""
    for name, label, message in _ACTIONS:
        actions.register_action(name, label, message)
