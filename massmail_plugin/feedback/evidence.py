"""What comes back proves that a mail had left: for one in doubt that settles it, and the log says by what."""

from __future__ import annotations

import logging
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import DatabaseError
from django.utils.translation import gettext_lazy as _

from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings import doubt
from massmail_plugin.mailings.models import Delivery

logger = logging.getLogger("massmail_plugin.feedback")

Kind = DeliveryEvent.Kind


class Trace(StrEnum):
    """What proves something and is no event to count."""

    #: The provider says that it has the mail, or still tries.
    TAKEN = "taken"
    #: The opt-out page was looked at, or used by somebody who had opted out before.
    OPT_OUT_PAGE = "opt_out_page"
    WEB_COPY = "web_copy"
    PREFERENCES = "preferences"


_CAME_BACK = _("It was sent: on %(when)s it came back as undeliverable.")
_OPT_OUT_USED = _("It arrived: on %(when)s its opt-out link was used.")
_SENTENCES: dict[Kind | Trace, Any] = {
    Kind.DELIVERED: _("It arrived: on %(when)s the provider reported it as delivered."),
    Kind.OPENED: _("It arrived: on %(when)s it was opened."),
    Kind.CLICKED: _("It arrived: on %(when)s a link in it was opened."),
    Kind.BOUNCED_HARD: _CAME_BACK,
    Kind.BOUNCED_SOFT: _CAME_BACK,
    Kind.REJECTED: _("It was sent: on %(when)s the provider reported that it has it and cannot deliver it."),
    Kind.COMPLAINED: _("It arrived: on %(when)s it was reported as spam."),
    Kind.OPTED_OUT: _OPT_OUT_USED,
    Kind.OPTED_IN: _OPT_OUT_USED,
    Trace.TAKEN: _("It was sent: on %(when)s the provider reported that it has it."),
    Trace.OPT_OUT_PAGE: _("It arrived: on %(when)s its opt-out page was opened."),
    Trace.PREFERENCES: _("It arrived: on %(when)s its preference page was opened."),
    Trace.WEB_COPY: _("It arrived: on %(when)s its copy for the browser was opened."),
}


def settle_doubt(
    delivery: Delivery, what: Kind | Trace, at: datetime | None = None, *, by_a_look: bool = False
) -> None:
    """Count a mail in doubt as sent, because of ``what``. Safe to call for any mail, and as often as one likes."""
    if doubt.prove_sent(delivery, _SENTENCES[what], at, by_a_look=by_a_look):
        logger.info("Delivery %s was in doubt and is proved sent: %s", delivery.pk, what.value)


def settle_doubt_by_a_look(delivery: Delivery | None, what: Kind | Trace) -> None:
    """The same for an address of the mail that was opened; the visitor gets the page whatever becomes of it."""
    if delivery is None:
        return
    try:
        settle_doubt(delivery, what, by_a_look=True)
    except DatabaseError as error:
        logger.warning("A proof (%s) could not be stored: %s", what.value, type(error).__name__)
