"""What must not be deleted: one page that says why, names what uses it and what to do, and asks nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from wagtail.permissions import policy_registry

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK
from massmail_plugin.admin.segments.uses import uses_of
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.mailings.models import Campaign, Mailing
from massmail_plugin.mailings.needs import mailings_that_need
from massmail_plugin.mailings.states import DELETABLE, RUNNING, MailingState

#: How many uses are named; a number says how many more there are.
_NAMED = 10


@dataclass(slots=True)
class Kept:
    """Why one thing is kept: a sentence, what uses it, and what to do."""

    why: str
    advice: str
    uses: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0


def why_kept(instance: Model, user: Any) -> Kept | None:
    """Return why ``instance`` must not be deleted, with links to what ``user`` may look at; None: it may be."""
    match instance:
        case EmailTemplate():
            return used_by(_template_sentences(instance), instance.mailings.all(), user)
        case Campaign():
            return used_by(_campaign_sentences(instance), instance.mailings.all(), user)
        case Mailing():
            return _mailing_kept(instance, user)
        case SenderAccount():
            return accounts_kept(str(instance), [instance], user)
        case Segment():
            return _segment_kept(instance, user)
    return None


def accounts_kept(name: str, accounts: Iterable[SenderAccount], user: Any) -> Kept | None:
    """Return why these accounts must not be deleted with ``name``: an account, or their owner."""
    why = _("“%(name)s” is kept, because unfinished mailings have no other way out:") % {"name": name}
    advice = _(
        "Withdraw or cancel these mailings, or wait until they are done. "
        "To let nothing leave for now, switch the sender account off instead."
    )
    return used_by((why, advice), mailings_that_need(accounts), user)


def used_by(sentences: tuple[str, str], users: QuerySet[Any], user: Any) -> Kept | None:
    """Return a refusal that names the campaigns or mailings in ``users``; None if there is none."""
    found = list(users.order_by("name", "pk")[: _NAMED + 1])
    if not found:
        return None
    more = users.count() - _NAMED if len(found) > _NAMED else 0
    why, advice = sentences
    return Kept(why, advice, [(str(each), _link(each, user)) for each in found[:_NAMED]], more)


def _link(use: Campaign | Mailing, user: Any) -> str:
    policy = policy_registry.get_by_type(type(use))
    if not policy.user_has_any_permission_for_instance(user, LOOK, use):
        return ""
    return names.own_page(names.CAMPAIGNS if isinstance(use, Campaign) else names.MAILINGS, use.pk)


def _template_sentences(template: EmailTemplate) -> tuple[str, str]:
    why = _("“%(name)s” is kept, because mailings use it:") % {"name": template}
    return why, _("Drafts can take another template. Sent mailings keep theirs.")


def _campaign_sentences(campaign: Campaign) -> tuple[str, str]:
    why = _("“%(name)s” is kept, because it has mailings:") % {"name": campaign}
    return why, _("Drafts can be deleted or take another campaign. Sent mailings keep theirs.")


def _segment_kept(segment: Segment, user: Any) -> Kept | None:
    uses = uses_of(segment, user)
    if not uses:
        return None
    why = _("“%(name)s” is kept, because campaigns and target lists use it:") % {"name": segment}
    return Kept(why, _("Take the segment out of them first."), uses[:_NAMED], max(0, len(uses) - _NAMED))


def _mailing_kept(mailing: Mailing, user: Any) -> Kept | None:
    name = {"name": mailing}
    if mailing.state == MailingState.PENDING:
        why = _("“%(name)s” is kept, because it waits for its start.") % name
        advice = _("Withdraw it first: then it is a draft, and can be deleted.")
    elif mailing.state in (*RUNNING, MailingState.PAUSED, MailingState.INTERRUPTED):
        why = _("“%(name)s” is kept, because it has begun.") % name
        advice = _("Cancel it to send no more of it. It stays as the record of what was sent.")
    elif mailing.state not in DELETABLE or mailing.runs.exists():
        why = _("“%(name)s” is kept, because it has been sent or was begun.") % name
        advice = _("It is the record of who got which mail.")
    else:
        return None
    return Kept(why, advice, [(str(mailing), _link(mailing, user))])


def kept_page(request: HttpRequest, kept: list[Kept], back_url: str) -> HttpResponse:
    """Return the page that takes the place of "Are you sure?"."""
    context = {
        "header_title": _("Cannot be deleted"),
        "page_title": _("Cannot be deleted"),
        "header_icon": "lock",
        "kept": kept,
        "back_url": back_url,
    }
    return TemplateResponse(request, "massmail_plugin/admin/kept.html", context)
