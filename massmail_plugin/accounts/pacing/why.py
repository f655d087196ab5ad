"""Why no mail leaves now, in sentences for people."""

from __future__ import annotations

from enum import Enum

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _


class Why(Enum):
    """What is in the way of the next mail."""

    HOURS = "hours"
    DAY_OFF = "day_off"
    HOLIDAY = "holiday"
    NEVER_OPEN = "never_open"
    PER_MINUTE = "per_minute"
    PER_HOUR = "per_hour"
    PER_DAY = "per_day"
    SYSTEM_PER_HOUR = "system_per_hour"
    SPREADING = "spreading"
    SPACING = "spacing"
    SERVER_WAIT = "server_wait"
    SERVER_SLOW = "server_slow"
    PER_DOMAIN = "per_domain"
    PER_TURN = "per_turn"

    @property
    def reason(self) -> str:
        """Why, to be put after a colon."""
        return str(_REASONS[self])

    @property
    def sentence(self) -> str:
        return f"{capfirst(self.reason)}."


_REASONS: dict[Why, Promise] = {
    Why.HOURS: _("it is outside the account's working hours"),
    Why.DAY_OFF: _("it is not one of the account's working days"),
    Why.HOLIDAY: _("it is a holiday"),
    Why.NEVER_OPEN: _("the account has no working time at all: look at its working hours and days"),
    Why.PER_MINUTE: _("the account's limit of mails a minute is used up"),
    Why.PER_HOUR: _("the account's limit of mails an hour is used up"),
    Why.PER_DAY: _("the account's limit of mails a day is used up"),
    Why.SYSTEM_PER_HOUR: _("the limit of mails an hour for all accounts together is used up"),
    Why.SPREADING: _("the mails are spread evenly over the working time"),
    Why.SPACING: _("the account leaves some time between one mail and the next"),
    Why.SERVER_WAIT: _("the mail server has asked us to wait"),
    Why.SERVER_SLOW: _("the mail server has asked us to send more slowly"),
    Why.PER_DOMAIN: _("the limit of mails an hour for the remaining recipients' providers is used up"),
    Why.PER_TURN: _("the mails of one go have left; the next ones follow within a minute"),
}
