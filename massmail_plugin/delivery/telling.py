"""Tells people by mail, once, that an account or a mailing of theirs has stopped.

Through Django's own mail settings, like Wagtail's notifications: the account that has stopped could not tell.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage
from django.db import IntegrityError, connections, transaction
from django.db.models import Q, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.translation import gettext as _

from massmail_plugin import preferences
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.headers import clean_header
from massmail_plugin.delivery.models import OwnerNotice
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import MailingState

logger = logging.getLogger("massmail_plugin.delivery")

#: Seconds that a worker waits for Django's mail server, which may hang like any other.
_PATIENCE = 30


@dataclass(frozen=True, slots=True)
class Stop:
    """Something that needs its owner. Words are made when the reader's language is known."""

    owner: Any
    account: SenderAccount | None = None
    mailing: Mailing | None = None

    def in_words(self) -> str:
        if self.account is not None:
            headline = _("The sender account “%(name)s” has stopped:") % {"name": self.account.name}
            words = [headline, self.account.last_fault, _("Mend it, then press Test connection on its page.")]
            url = admin_url("massmail_accounts:inspect", self.account.pk)
        else:
            assert self.mailing is not None
            state = self.mailing.get_state_display()
            headline = _("The mailing “%(name)s” waits for you. Status: %(state)s.")
            words = [headline % {"name": self.mailing.name, "state": state}, self.mailing.notice]
            url = admin_url("massmail_mailings:inspect", self.mailing.pk)
        return "\n".join(filter(None, [*words, url]))


def tell_owners() -> int:
    """Tell about everything that has stopped and has not been told yet. Returns how many mails were tried.

    Never raises: a notice that cannot be sent must keep no mailing from going on.
    """
    try:
        _forget_what_goes_on()
        told: dict[Any, list[Stop]] = defaultdict(list)
        for stop in _untold():
            for person in [stop.owner] if _can_be_told(stop.owner) else administrators():
                told[person].append(stop)
        for person, stops in told.items():
            tell(person, _subject(stops), lambda stops=stops: "\n\n".join(stop.in_words() for stop in stops))
    except Exception:
        logger.exception("Owners could not be told")
        return 0
    return len(told)


def tell_administrators(subject: Any, text: Any) -> None:
    """Send one mail to each superuser, like :func:`tell`. Never raises."""
    try:
        for person in administrators():
            tell(person, subject, text)
    except Exception:
        logger.exception("Administrators could not be told")


def tell(person: Any, subject: Any, text: Any) -> None:
    """Send one mail; ``subject`` and ``text`` are called in the reader's language. A failure is only logged."""
    profile = getattr(person, "wagtail_userprofile", None)
    language = profile.get_preferred_language() if profile else settings.LANGUAGE_CODE
    with translation.override(language):
        message = EmailMessage(
            clean_header(subject(), 200),
            text(),
            getattr(settings, "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL", None),
            [person.email],
            # RFC 3834: no answering machine should answer.
            headers={"Auto-Submitted": "auto-generated"},
        )
    thread = threading.Thread(target=_send, args=[message, person.pk], daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if thread.is_alive():
        logger.error("User %s could not be told yet: the mail server takes long to answer", person.pk)


def administrators() -> list[Any]:
    """Return who is told what has no owner."""
    users = get_user_model()._default_manager.filter(is_superuser=True, is_active=True)
    return [user for user in users.order_by("pk") if _can_be_told(user)]


def faulty_accounts() -> QuerySet[SenderAccount]:
    return SenderAccount.objects.filter(state=SenderAccount.State.FAULTY)


def stopped_mailings() -> QuerySet[Mailing]:
    """Return those that a fault has stopped. A person who presses Pause leaves no notice."""
    paused = Q(state=MailingState.PAUSED) & ~Q(notice="")
    return Mailing.objects.filter(paused | Q(state=MailingState.INTERRUPTED))


def _forget_what_goes_on() -> None:
    on_accounts = OwnerNotice.objects.filter(account__isnull=False)
    on_accounts.exclude(account__in=faulty_accounts()).delete()
    on_mailings = OwnerNotice.objects.filter(mailing__isnull=False)
    on_mailings.exclude(mailing__in=stopped_mailings()).delete()


def _untold() -> Iterator[Stop]:
    """Yield what nobody was told, and write down that it is told: rather not at all than at every tick."""
    told = OwnerNotice.objects.all()
    accounts: Iterable[SenderAccount] = faulty_accounts().exclude(pk__in=_numbers(told, "account"))
    for account in accounts:
        if _is_first(account=account):
            yield Stop(account.owner, account=account)
    for mailing in stopped_mailings().exclude(pk__in=_numbers(told, "mailing")):
        if _is_first(mailing=mailing):
            yield Stop(mailing.owner, mailing=mailing)


def _numbers(told: QuerySet[OwnerNotice], kind: str) -> list[int]:
    return list(told.filter(**{f"{kind}__isnull": False}).values_list(f"{kind}_id", flat=True))


def _is_first(**what: Any) -> bool:
    """Return whether no other worker tells of it at this moment."""
    try:
        with transaction.atomic():
            OwnerNotice.objects.create(**what)
    except IntegrityError:
        return False
    return True


def _can_be_told(person: Any) -> bool:
    return bool(person and person.is_active and person.email)


def _subject(stops: list[Stop]) -> Any:
    def subject() -> str:
        if len(stops) > 1:
            return _("Mailings: %(number)d things need you") % {"number": len(stops)}
        if stops[0].account:
            return _("Mailings: the account “%(name)s” has stopped") % {"name": stops[0].account.name}
        return _("Mailings: “%(name)s” waits for you") % {"name": stops[0].mailing}

    return subject


def admin_url(name: str, *numbers: int) -> str:
    """Return the whole address of a page of the admin; empty if this project has none."""
    try:
        path = reverse(name, args=numbers)
    except NoReverseMatch:
        return ""  # These workers serve a project without the admin.
    site = getattr(settings, "WAGTAILADMIN_BASE_URL", "") or preferences.load().base_url
    return f"{site.rstrip('/')}{path}"


def _send(message: EmailMessage, person_id: Any) -> None:
    try:
        message.send()
    except Exception as error:
        # Its kind only: servers like to repeat the address.
        logger.error("User %s could not be told: %s", person_id, type(error).__name__)
    finally:
        # There are backends that write to the database.
        connections.close_all()
