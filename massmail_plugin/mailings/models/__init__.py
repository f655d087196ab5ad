"""Campaigns, their mailings, and the ledger of every mail."""

from massmail_plugin.mailings.models.campaign import Campaign, TrackingUrl
from massmail_plugin.mailings.models.delivery import Delivery
from massmail_plugin.mailings.models.mailing import Mailing
from massmail_plugin.mailings.models.run import Run, TrackedLink

__all__ = ["Campaign", "Delivery", "Mailing", "Run", "TrackedLink", "TrackingUrl"]
