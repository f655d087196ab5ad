"""Checks whether an account can connect and log in, without sending anything."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from massmail_plugin.accounts import faults
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.redacting import without_secrets
from massmail_plugin.delivery.transports import transport_for
from massmail_plugin.delivery.transports.base import CannotOpen, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class ConnectionResult:
    works: bool
    #: One sentence for people.
    message: str


def check_connection(account: SenderAccount) -> ConnectionResult:
    """Connect, encrypt and log in as for a mailing; an account that had stopped is ready again if it works."""
    try:
        with transport_for(account) as transport:
            transport.open()
    except CannotOpen as error:
        return ConnectionResult(False, _refusal(account, error.outcome))
    if account.pk and faults.mend(account):
        return ConnectionResult(True, _("It works. The account is ready again."))
    return ConnectionResult(True, _("It works: connected and logged in."))


def _refusal(account: SenderAccount, outcome: Outcome) -> str:
    reply = without_secrets(account, outcome.reply)
    if outcome.verdict is not Verdict.UNREACHABLE or account.kind != SenderAccount.Kind.SMTP:
        return reply
    # The system's own words, such as "Name or service not known": they do not say what to do.
    return _("%(words)s. Check the account's server, port and encryption.") % {"words": reply.rstrip(".")}
