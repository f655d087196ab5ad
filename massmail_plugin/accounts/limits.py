"""How much a sender account may send, and when: its fields and what makes sense in them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from massmail_plugin.accounts.pacing.calendar import EVERY_DAY, BadHours, check_hours

#: Far more than any account sends; a larger number is a slip of the finger, and none at all is "no limit".
LARGEST_LIMIT = 10_000_000
_LIMIT = [
    MinValueValidator(1, _("Enter 1 or more, or leave it empty for no limit.")),
    MaxValueValidator(LARGEST_LIMIT, _("Enter %(limit_value)d at most, or leave it empty for no limit.")),
]


def monday_to_thursday() -> list[int]:
    """Return the usual working days of a mailing: on Fridays and at weekends people read little."""
    return [0, 1, 2, 3]


class SendingLimits(models.Model):
    """What a sender account may send, and when. An empty limit is none."""

    per_minute = models.PositiveIntegerField(
        _("mails a minute"), null=True, blank=True, validators=_LIMIT, help_text=_("Empty: no limit.")
    )
    per_hour = models.PositiveIntegerField(
        _("mails an hour"), null=True, blank=True, validators=_LIMIT, help_text=_("In any 60 minutes.")
    )
    per_day = models.PositiveIntegerField(
        _("mails a day"),
        null=True,
        blank=True,
        validators=_LIMIT,
        help_text=_("In any 24 hours."),
    )
    spread_evenly = models.BooleanField(
        _("spread them evenly"),
        default=False,
        help_text=_(
            "A day's mails leave evenly over the working time, and an hour's over the hour, and not all at once. "
            "For example 90 a day, from 08:30 to 17:30, are 10 an hour."
        ),
    )
    spacing_from = models.PositiveSmallIntegerField(
        _("shortest pause after a mail, in seconds"),
        default=0,
        validators=[MaxValueValidator(3600)],
        help_text=_("For example 15."),
    )
    spacing_until = models.PositiveSmallIntegerField(
        _("longest pause, in seconds"),
        default=0,
        validators=[MaxValueValidator(3600)],
        help_text=_("For example 35. Both 0: no pause."),
    )
    is_main = models.BooleanField(
        _("only for VIP recipients"),
        default=False,
        help_text=_(
            "A main account, whose good name matters: it mails only people who are marked as VIP. "
            "All others get their mails from the owner's other accounts."
        ),
    )

    working_hours_only = models.BooleanField(
        _("send only in working hours"),
        default=False,
        help_text=_("Not ticked: mails leave at any time, on any day."),
    )
    work_from = models.TimeField(
        _("from"), null=True, blank=True, default=dt.time(8, 30), help_text=_("Both empty: the whole day.")
    )
    work_until = models.TimeField(
        _("until"),
        null=True,
        blank=True,
        default=dt.time(17, 30),
        help_text=_("00:00 is midnight."),
    )
    #: Numbers, Monday 0.
    working_days = models.JSONField(_("working days"), default=monday_to_thursday)
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Empty: this site's time zone.")
    )

    #: The server's last complaint that mails come too fast, and what follows: see ``pacing.slowdown``.
    slowed_at = models.DateTimeField(null=True, editable=False)
    resume_at = models.DateTimeField(null=True, editable=False)
    slow_per_minute = models.PositiveIntegerField(null=True, editable=False)

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        errors: dict[str, Any] = {}
        # What is no number is refused at its own field.
        if (self.spacing_from or 0) > (self.spacing_until or 0):
            errors["spacing_from"] = _(
                "The shortest pause must not be longer than the longest: change this one, or the one beside it."
            )
        errors |= self._useless_limits()
        if self.working_hours_only:
            errors |= self._hours_errors()
        if self.time_zone and self.time_zone not in available_timezones():
            errors["time_zone"] = _("There is no time zone of this name; choose one of the list.")
        if errors:
            raise ValidationError(errors)

    def _useless_limits(self) -> dict[str, Any]:
        """A limit that another one never lets be reached is a mistake in one of them."""
        day, hour, minute = self.per_day, self.per_hour, self.per_minute
        if minute and hour and minute > hour:
            return {"per_minute": _("More than an hour's limit allows: lower this one, or raise that.")}
        if minute and day and minute > day:
            return {"per_minute": _("More than a day's limit allows: lower this one, or raise that.")}
        if hour and day and hour > day:
            return {"per_hour": _("More than a day's limit allows: lower this one, or raise that.")}
        return {}

    def _hours_errors(self) -> dict[str, Any]:
        errors: dict[str, Any] = {}
        try:
            check_hours(self.work_from, self.work_until)
        except BadHours as error:
            errors["work_until"] = str(error)
        if not _are_days(self.working_days):
            errors["working_days"] = _("Choose at least one day, or nothing would ever leave.")
        return errors


def _are_days(days: Any) -> bool:
    return (
        isinstance(days, list)
        and bool(days)
        and all(type(day) is int for day in days)
        and set(days) <= EVERY_DAY
    )
