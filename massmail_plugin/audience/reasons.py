"""Why somebody in a list gets no mail."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Reason(models.TextChoices):
    """Each reason once; the label completes "gets no mail: ..."."""

    NO_ADDRESS = "no_address", _("no e-mail address")
    MALFORMED = "malformed", _("the e-mail address is malformed")
    DUPLICATE = "duplicate", _("the same address as another person")
    EXCLUDED = "excluded", _("in an excluded list or segment")
    ALREADY_GOT = "already_got", _("already got another mailing")
    NOT_YOURS = "not_yours", _("somebody else's contact")
    OPTED_OUT = "opted_out", _("opted out of all mailings")
    OPTED_OUT_LIST = "opted_out_list", _("opted out of this list")
    COMPLAINED = "complained", _("reported a mail as spam")
    ERASED = "erased", _("erased on request")
    INVALID = "invalid", _("the mailbox does not exist")
    RECORD_GONE = "record_gone", _("the record is gone")
    ADDRESS_CHANGED = "address_changed", _("the address was changed after the start")
