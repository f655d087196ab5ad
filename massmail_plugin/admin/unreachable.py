"""A running mailing whose mail server does not answer: nothing leaves, and nobody has done anything wrong."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import accounts_for
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState

#: An outage notes its fault anew at every try, each minute; an older one is over.
_RECENT = timedelta(minutes=5)


def unreachable_sentence(mailing: Mailing) -> str:
    """Return what an account of a running mailing met last, if no mail has left since then; else nothing."""
    recent = accounts_for(mailing.owner_id).filter(last_fault_at__gte=timezone.now() - _RECENT)
    account = recent.order_by("-last_fault_at").first()
    if account is None:
        return ""
    sent = Delivery.objects.filter(run__mailing=mailing, state=DeliveryState.ACCEPTED)
    if sent.filter(handed_at__gte=account.last_fault_at).exists():
        return ""
    fault = Truncator(account.last_fault).chars(300).rstrip(".")
    return _("The mail server cannot be reached: %(fault)s. It is tried again every minute.") % {
        "fault": fault
    }
