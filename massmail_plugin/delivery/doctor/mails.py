"""Accounts and mails: can they leave, and does anything wait for a person?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone
from django.utils.text import Truncator

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import SecretUnreadable
from massmail_plugin.delivery.doctor.findings import Finding, counted, problem, warning
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.single import sign_up_mails
from massmail_plugin.delivery.single.connection_check import check_connection
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState

#: The tick comes each minute; what it should have done so long ago has been forgotten.
_LATE = timedelta(minutes=3)


def accounts() -> Iterator[Finding]:
    counted = SenderAccount.objects.order_by().values_list("state").annotate(number=Count("pk"))
    states = dict(counted.values_list("state", "number"))
    ready = states.get(SenderAccount.State.READY, 0)
    if not states:
        yield problem("accounts", "there is none", "make a sender account in the admin, under Mailings")
    elif not ready:
        remedy = "mend one, press Test connection or Switch on on its page"
        yield problem("accounts", f"none of {sum(states.values())} is ready", remedy)
    else:
        yield Finding("accounts", f"{ready} of {sum(states.values())} ready")
    for account in SenderAccount.objects.filter(state=SenderAccount.State.FAULTY):
        fault = Truncator(account.last_fault).chars(150)
        says = f"{account.name} ({account.pk}) has stopped: {fault}"
        yield warning("accounts", says, "mend it, then press Test connection on its page")


def secrets() -> Iterator[Finding]:
    lost = [account.name for account in SenderAccount.objects.all() if not _is_readable(account)]
    if lost:
        remedy = 'put the old key back into MASSMAIL["SECRET_KEYS"], or enter the passwords again'
        yield problem("secrets", f"the stored passwords of {', '.join(lost)} cannot be read", remedy)
    else:
        yield Finding("secrets", "all stored passwords can be read")


def _is_readable(account: SenderAccount) -> bool:
    try:
        account.password.reveal()
        account.backend_options.reveal()
    except SecretUnreadable:
        return False
    return True


def connections() -> Iterator[Finding]:
    """Connect and log in through every account that is ready; only when asked to."""
    for account in SenderAccount.objects.filter(state=SenderAccount.State.READY):
        result = check_connection(account)
        about = f"{account.name} ({account.pk})"
        if result.works:
            yield Finding("connection", f"{about}: connected and logged in")
        else:
            says = f"{about}: {Truncator(result.message).chars(150)}"
            yield problem("connection", says, "mend the account, or what stands between here and its server")


def late_starts() -> Iterator[Finding]:
    late = Mailing.objects.filter(state=MailingState.PENDING, start_at__lt=timezone.now() - _LATE).count()
    if late:
        yield problem(
            "starts",
            f"{counted(late, 'mailing')} should have started by now",
            "see the lines about ticks and epoch",
        )
    interrupted = Mailing.objects.filter(state=MailingState.INTERRUPTED).count()
    if interrupted:
        yield warning(
            "starts",
            f"interrupted: {counted(interrupted, 'mailing')}",
            "the mailing's page says why; then press Resume",
        )
    if not late and not interrupted:
        yield Finding("starts", "no mailing is late or interrupted")


def leases() -> Iterator[Finding]:
    """The sweeper settles what dead workers have left, at each tick."""
    held = (DeliveryState.CLAIMED, DeliveryState.HANDING)
    stuck = Delivery.objects.filter(state__in=held, lease_until__lt=clock.now() - _LATE).count()
    if stuck:
        yield problem(
            "leases", f"held by workers that have died: {counted(stuck, 'mail')}", "see the line about ticks"
        )
    else:
        yield Finding("leases", "no mail is stuck with a dead worker")


def doubts() -> Iterator[Finding]:
    in_doubt = Delivery.objects.filter(state=DeliveryState.IN_DOUBT)
    number = in_doubt.count()
    if number:
        mailings = in_doubt.order_by().values("run__mailing").distinct().count()
        says = f"{counted(number, 'mail')} of {counted(mailings, 'mailing')} may or may not have left"
        yield warning(
            "in doubt", says, "compare with the mail server's log; the mailing's page lists them by name"
        )
    else:
        yield Finding("in doubt", "no mail")


def sign_ups() -> Iterator[Finding]:
    """Somebody sits in front of an empty inbox."""
    late = sign_up_mails.waiting_since(_LATE)
    if late:
        says = f"not sent for minutes: {counted(late, 'confirmation mail')} of sign-ups"
        yield problem("sign-ups", says, "see the lines about accounts and ticks")
