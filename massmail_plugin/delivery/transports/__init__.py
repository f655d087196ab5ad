"""Ways to hand one mail over, behind one contract: ``transports.base.Transport``."""

from __future__ import annotations

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.transports.backend import BackendTransport
from massmail_plugin.delivery.transports.base import Transport
from massmail_plugin.delivery.transports.smtp import SmtpTransport


def transport_for(account: SenderAccount) -> Transport:
    """Return the unopened transport of an account."""
    if account.kind == SenderAccount.Kind.SMTP:
        return SmtpTransport(account)
    return BackendTransport(account)
