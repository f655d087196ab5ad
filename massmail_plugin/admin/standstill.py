"""Why the mails of one mailing stand still, with the place to do something about it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from wagtail.permissions import policy_registry

from massmail_plugin.accounts.models import SenderAccount, accounts_for, has_own_accounts
from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK
from massmail_plugin.admin.alarms import Alarm, alarms
from massmail_plugin.delivery.running.following import stopped_accounts_of
from massmail_plugin.mailings.models import Mailing, Run
from massmail_plugin.mailings.states import RUNNING, MailingState

#: Where somebody waits for mails to leave.
_WAITING = (MailingState.PENDING, *RUNNING)


def standstill(mailing: Mailing, user: Any) -> list[Alarm]:
    """Return what keeps the mails of ``mailing`` from leaving; nothing while all is well, or when none waits."""
    found = alarms(user) if mailing.state in _WAITING else []
    if mailing.state in (*_WAITING, MailingState.INTERRUPTED):
        found += [_stopped(account, user) for account in _stopped_accounts(mailing)]
    return found


def _run_of(mailing: Mailing) -> Run | None:
    return mailing.runs.select_related("mailing").defer("content").first()


def _stopped_accounts(mailing: Mailing) -> QuerySet[SenderAccount]:
    """Return the stopped accounts that its mails could leave through: by its run, or if it could not start now."""
    if (run := _run_of(mailing)) is not None:
        return stopped_accounts_of(run)
    stopped = SenderAccount.objects.filter(state=SenderAccount.State.FAULTY)
    if accounts_for(mailing.owner_id).exists():
        return stopped.none()
    owner_id = mailing.owner_id if has_own_accounts(mailing.owner_id) else None
    return stopped.filter(owner_id=owner_id)


def _stopped(account: SenderAccount, user: Any) -> Alarm:
    words = {"name": account.name, "fault": Truncator(account.last_fault).chars(300)}
    text = _("The sender account “%(name)s” has stopped: %(fault)s") % words
    policy = policy_registry.get_by_type(SenderAccount)
    if not policy.user_has_any_permission_for_instance(user, LOOK, account):
        return Alarm(f"{text} {_('Tell its owner, or the people who run this site.')}")
    return Alarm(text, names.own_page(names.ACCOUNTS, account.pk), _("Mend it"))
