"""How an address stands, in a few words and as a filter: the same words wherever people look."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from massmail_plugin.audience.reasons import Reason
from massmail_plugin.recipients.models import EmailAddress

MAILABLE = "mailable"
#: For a filter: the words, and which addresses they fit. Somebody may have opted out and be invalid as well.
STANDINGS: dict[str, tuple[Any, Q]] = {
    MAILABLE: (
        gettext_lazy("can be mailed"),
        Q(invalid_since=None, opted_out_since=None, complained_since=None, erased_since=None),
    ),
    "opted_out": (Reason.OPTED_OUT.label, Q(opted_out_since__isnull=False, erased_since=None)),
    "opted_out_list": (gettext_lazy("opted out of a list"), Q(list_opt_outs__isnull=False)),
    "invalid": (Reason.INVALID.label, Q(invalid_since__isnull=False)),
    "erased": (Reason.ERASED.label, Q(erased_since__isnull=False)),
    "complained": (Reason.COMPLAINED.label, Q(complained_since__isnull=False)),
}


def standing(address: EmailAddress | None) -> str:
    """Return in a few words whether mailings go to this address; the strongest reason against it wins.

    None stands for an address of which nobody has said anything, and to which nothing was mailed.
    """
    if address is None:
        return _("can be mailed")
    if address.erased_since:
        return str(Reason.ERASED.label)
    if address.complained_since:
        return str(Reason.COMPLAINED.label)
    if address.opted_out_since:
        return str(Reason.OPTED_OUT.label)
    if address.invalid_since:
        return str(Reason.INVALID.label)
    # Not "exists()": listings have fetched them for all their rows.
    if address.list_opt_outs.all():
        return _("can be mailed, but opted out of a list")
    return _("can be mailed")
