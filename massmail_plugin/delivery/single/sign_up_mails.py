"""Mails with the link by which somebody who wants to join a public list proves that the address is theirs.

Everybody gets the same mail, known or not and whatever they have said before: neither the page nor the mail tells a
stranger anything about an address.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from massmail_plugin import preferences, tokens
from massmail_plugin.accounts.models import SenderAccount, accounts_for
from massmail_plugin.accounts.pacing.calendar import Calendar
from massmail_plugin.accounts.pacing.of_account import ration_of
from massmail_plugin.accounts.pacing.ration import Ration, decide
from massmail_plugin.accounts.pacing.spreading import Spacing
from massmail_plugin.audience.sign_ups import LINK_IS_KNOWN, LINK_WORKS, SignUp
from massmail_plugin.content.compiled import Renderer
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.ledger import clock
from massmail_plugin.delivery.ledger.claiming import locked
from massmail_plugin.delivery.ledger.deadlocks import again_after_deadlock
from massmail_plugin.delivery.mails.outgoing import Mailbox, OutgoingMail
from massmail_plugin.delivery.transports import transport_for
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.mailings.usage import used_by
from massmail_plugin.recipients.addresses import parse_address

logger = logging.getLogger("massmail_plugin.delivery")

#: Mails that are sent in one go: each is a person who waits in front of the screen.
_AT_A_TIME = 50
_ATTEMPTS = 5
#: Until a mail is tried again whose worker has died, or that was refused for now. Longer than a server may take to
#: answer: two mails would only confuse.
_LEASE, _LATER, _SOON = dt.timedelta(minutes=15), dt.timedelta(minutes=5), dt.timedelta(minutes=1)

#: Nothing of this mail was refused: its account, or the way to it, is not there at the moment.
_NOT_ITS_FAULT = (Verdict.ACCOUNT, Verdict.UNREACHABLE, Verdict.SLOW_DOWN, Verdict.FENCED)


def are_waiting() -> bool:
    """Return whether anybody waits for such a mail now."""
    return _due().exists()


def waiting_since(patience: dt.timedelta) -> int:
    """Return how many people asked for such a mail longer ago than that, and it could still be sent."""
    now = timezone.now()
    open_ones = SignUp.objects.filter(
        next_attempt_at__isnull=False, confirmed_at=None, attempts__lt=_ATTEMPTS
    )
    return open_ones.filter(asked_at__gt=now - LINK_WORKS, asked_at__lt=now - patience).count()


def send_waiting(*, stop: Callable[[], bool] = lambda: False) -> int:
    """Send the mails that are due, until ``stop``. Returns how many left. Forgets old sign-ups."""
    SignUp.objects.filter(asked_at__lt=timezone.now() - LINK_IS_KNOWN).delete()
    if not epoch.may_send():
        return 0
    sent = 0
    resting: set[int] = set()
    for sign_up in _due().select_related("target_list__locale").order_by("pk")[:_AT_A_TIME]:
        if stop():
            break
        account = _claim(sign_up, resting)
        if account is None:
            continue
        outcome = _deliver(account, sign_up)
        sent += outcome.verdict in (Verdict.ACCEPTED, Verdict.DOUBT)
        _note(sign_up, outcome)
        if outcomes.stop_reason(account, outcome):
            resting.add(account.pk)
    return sent


def _due() -> QuerySet[SignUp]:
    now = timezone.now()
    return SignUp.objects.filter(
        next_attempt_at__lte=now, confirmed_at=None, asked_at__gt=now - LINK_WORKS, attempts__lt=_ATTEMPTS
    )


def _claim(sign_up: SignUp, resting: set[int]) -> SenderAccount | None:
    """Return the account that the mail may leave through; None: none has room, or another worker sends it.

    It is one of those that mailings of the list's owner leave through; main accounts write to VIPs only. Those
    without room come to ``resting``.
    """
    ready = accounts_for(sign_up.target_list.owner_id).exclude(pk__in=resting)
    mine = _due().filter(pk=sign_up.pk, attempts=sign_up.attempts)
    for account in ready.order_by("is_main", "name", "pk"):
        reserved = again_after_deadlock(partial(_reserve, account, mine))
        if reserved is None:
            resting.add(account.pk)
        else:
            return account if reserved else None
    if resting:
        # Not at once: an account that is added may take it at any time, one without room not before a while.
        mine.update(next_attempt_at=timezone.now() + _SOON)
    return None


def _reserve(account: SenderAccount, mine: QuerySet[SignUp]) -> bool | None:
    """Mark the mail as one of the account's. Returns False if another worker has it; None without room for it."""
    site = preferences.load()
    counts_marks = ration_of(account, site).counts_marks
    with transaction.atomic(durable=True):
        of_site = locked(site) if site.per_hour_limit is not None else site
        of_account = locked(account) if counts_marks else account
        now = clock.now()
        ration = _ration(of_account, of_site)
        if not decide(ration, now, used_by(ration, now), 1).count:
            return None
        until = timezone.now() + _LEASE
        return bool(
            mine.update(attempts=F("attempts") + 1, next_attempt_at=until, account=account, paced_at=now)
        )


def _ration(account: SenderAccount, site: preferences.MailPreferences) -> Ration:
    """Return what the account may send: as many as ever, but at any time. Somebody waits in front of the screen."""
    ration = ration_of(account, site)
    return replace(ration, calendar=Calendar(ration.calendar.zone), spread_evenly=False, spacing=Spacing())


def _deliver(account: SenderAccount, sign_up: SignUp) -> Outcome:
    try:
        mail = _compose(account, sign_up)
    except Exception as error:
        logger.exception("The mail of sign-up %s could not be made", sign_up.pk)
        return Outcome(Verdict.RECIPIENT, type(error).__name__)
    with transport_for(account) as transport:
        # Nothing can come in between: whoever asked for it wants it.
        return transport.deliver(mail, lambda: True)


def _note(sign_up: SignUp, outcome: Outcome) -> None:
    """Write down when it is tried again, if it is."""
    mine = SignUp.objects.filter(pk=sign_up.pk)
    if outcome.verdict in _NOT_ITS_FAULT:
        mine.update(attempts=sign_up.attempts, next_attempt_at=timezone.now() + _SOON, paced_at=None)
    elif outcome.verdict in (Verdict.TEMPORARY, Verdict.POLICY):
        mine.update(next_attempt_at=timezone.now() + _LATER)
    else:
        mine.update(next_attempt_at=None)


def _compose(account: SenderAccount, sign_up: SignUp) -> OutgoingMail:
    chosen = preferences.load()
    with translation.override(sign_up.target_list.locale.language_code):
        template = _template(sign_up)
        options = CompileOptions(
            opt_out_link=False, postal_address=chosen.postal_address, base_url=chosen.base_url
        )
        content = compile_template(template, options)
    token = tokens.make(tokens.Purpose.SIGN_UP, sign_up.pk)
    url = chosen.base_url + reverse("massmail:confirm_sign_up", args=[token])
    rendered = Renderer(content).render({"confirm": {"url": url, "list": sign_up.target_list.title}})
    return OutgoingMail(
        sender=Mailbox(parse_address(account.from_email).envelope, account.from_name),
        recipient=Mailbox(parse_address(sign_up.email).envelope),
        reply_to=parse_address(account.reply_to).envelope if account.reply_to else "",
        subject=rendered.subject,
        rendered=rendered,
        headers={
            "Message-ID": f"<sign-up.{secrets.token_hex(12)}@{account.sending_domain}>",
            # RFC 3834: no answering machine should answer.
            "Auto-Submitted": "auto-generated",
        },
        metadata={},
    )


def _template(sign_up: SignUp) -> EmailTemplate:
    """Return the mail, in the language in use. Not with the name that somebody typed: it may be an advertisement."""
    template = EmailTemplate(
        name="sign-up", subject=_("Please confirm: {{ confirm.list }}"), locale=sign_up.target_list.locale
    )
    block: Any = EmailTemplate._meta.get_field("body")
    ask = _(
        "Somebody, probably you, has asked for the mails of “{{ confirm.list }}” at this address. "
        "They begin when you press the button:"
    )
    ignore = _("If it was not you, do nothing: then nothing more comes. The button works for three days.")
    template.body = block.to_python(
        [
            _block("text", text=f"<p>{ask}</p>", alignment="left"),
            _block("button", label=_("Confirm"), link="{{ confirm.url }}", alignment="left"),
            _block("text", text=f"<p>{ignore}</p>", alignment="left"),
        ]
    )
    return template


def _block(kind: str, **value: Any) -> dict[str, Any]:
    return {"type": kind, "value": value}
