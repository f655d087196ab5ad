"""Ways to hand one mail over, behind one contract: ``transports.base.Transport``."""

from __future__ import annotations

from massmail_plugin.accounts.batches import batch_syntax
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.delivery.transports.backend import BackendTransport
from massmail_plugin.delivery.transports.base import Transport
from massmail_plugin.delivery.transports.batches import BatchTransport, Desk
from massmail_plugin.delivery.transports.smtp import SmtpTransport


def transport_for(account: SenderAccount, desk: Desk | None = None) -> Transport:
    """Return the unopened transport of an account. ``desk``: shared by those that may send in batches."""
    if account.kind == SenderAccount.Kind.SMTP:
        return SmtpTransport(account)
    syntax = batch_syntax(account.backend) if desk else None
    if desk and syntax:
        return BatchTransport(account, syntax, desk)
    return BackendTransport(account)


def desk_for(account: SenderAccount) -> Desk | None:
    """Return where the connections of one turn bring their mails together; None: each sends its own."""
    return Desk(account.batch_size) if account.sends_batches else None
