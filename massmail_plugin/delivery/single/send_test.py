"""Send Test: the real mail, as one recipient would get it, to an address of the editor's choice."""

from __future__ import annotations

from dataclasses import replace

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext as _

from massmail_plugin import preferences
from massmail_plugin.accounts.models import SenderAccount, accounts_for
from massmail_plugin.content.compiled import RenderFailed
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.delivery.mails.messages import Composer, Link
from massmail_plugin.delivery.mails.outgoing import OutgoingMail
from massmail_plugin.delivery.transports import transport_for
from massmail_plugin.delivery.transports.base import Verdict
from massmail_plugin.mailings.first_person import first_person
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.preflight import no_account
from massmail_plugin.mailings.verbs import Refused
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address


def send_test(mailing: Mailing, to: str, *, viewer: AbstractBaseUser | None = None) -> str:
    """Send ``mailing`` to ``to`` now, rendered for the first person of its lists. Returns the server's answer.

    ``viewer``: whoever is to read it; of people whom they may not see nothing is told. None: a program.
    Nothing is counted, and the links of the mail do nothing. Raises :class:`Refused`, or ``ContentError``.
    """
    try:
        address = parse_address(to)
    except MalformedAddress as error:
        raise Refused(str(error)) from error
    if mailing.template is None:
        raise Refused(_("Choose a template."))
    account = accounts_for(mailing.owner_id).first()
    if account is None:
        raise Refused(no_account())
    content = compile_template(mailing.template, CompileOptions.of_this_site())
    slugs = mailing.campaign.tracking_urls.values_list("slug", flat=True)
    links = [Link(number, "") for number in range(len(content.links))]
    links += [Link(len(links) + number, slug) for number, slug in enumerate(slugs)]
    composer = Composer(content, mailing, links, preferences.load().base_url)
    name, contact = _sample(mailing, viewer)
    try:
        mail = composer.compose(
            account, to=address.envelope, name=name, contact=contact, delivery_id=0, address_id=0
        )
    except RenderFailed as error:
        raise Refused(str(error)) from error
    marked = replace(mail, subject=_("[Test] %(subject)s") % {"subject": mail.subject})
    return _hand_over(account, marked)


def _hand_over(account: SenderAccount, mail: OutgoingMail) -> str:
    with transport_for(account) as transport:
        outcome = transport.deliver(mail, lambda: True)
    if outcome.verdict is not Verdict.ACCEPTED:
        raise Refused(_("The mail server refused the test: %(reply)s") % {"reply": outcome.reply})
    return outcome.reply


def _sample(mailing: Mailing, viewer: AbstractBaseUser | None) -> tuple[str, dict[str, object]]:
    """Return name and merge values of the first person who would get it; nobody gives empty values."""
    first = first_person(mailing, viewer)
    if first is None:
        return "", {}
    recipient_type, record = first
    return recipient_type.display_name(record), recipient_type.merge_values(record)
