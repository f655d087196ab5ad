"""What is wrong with a file, or with one row of it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

#: More columns than any list of people has.
MOST_COLUMNS = 500


class FileFault(Exception):
    """The file cannot be imported; ``str()`` says why and what to do, for people."""


class RowFault(models.TextChoices):
    """Why one row was not imported."""

    NO_ADDRESS = "no_address", _("there is no e-mail address")
    MALFORMED = "malformed", _("the e-mail address is malformed")
    TOO_MANY_CELLS = (
        "too_many_cells",
        _("more cells than columns; a separator is probably missing its quotation marks"),
    )
    UNREADABLE = "unreadable", _("it holds characters that cannot be read")
    ERASED = "erased", _("this person was erased on request, and is not imported again")
    LONG_NAME = "long_name", _("the name is longer than 255 characters")


class RowRefused(Exception):
    """One row cannot be imported."""

    def __init__(self, fault: RowFault, detail: str = "") -> None:
        super().__init__(fault)
        self.fault = fault
        self.detail = detail
