"""Who can be mailed: recipient types, addresses and consent. This room knows no other room."""

from massmail_plugin.recipients.registry import all_types, for_model, get, register
from massmail_plugin.recipients.types import RecipientType

__all__ = ["RecipientType", "all_types", "for_model", "get", "register"]
