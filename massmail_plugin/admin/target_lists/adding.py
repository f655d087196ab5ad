"""Putting selected records in a list, and saying what came of it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.log_actions import log

from massmail_plugin.audience.members import Added, add_records
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records


def choosable(recipient_type: RecipientType, user: Any, records: QuerySet[Any]) -> QuerySet[Any]:
    """Return those of ``records`` that this user may put in a list."""
    return choosable_records(user, recipient_type).filter(pk__in=records.order_by().values("pk"))


def add_and_tell(
    target_list: TargetListPage, recipient_type: RecipientType, records: QuerySet[Any], user: Any
) -> str:
    """Add ``records`` to the list, log it, and return a sentence with the numbers."""
    added = add_records(target_list, recipient_type, records, added_by=user)
    data = {"type": recipient_type.label_plural, "number": added.new, "already": added.already}
    log(target_list, "massmail.add_members", user=user, data=data)
    return sentence(added, target_list)


def sentence(added: Added, target_list: TargetListPage) -> str:
    """Return, for example, "212 added to “Customers”, 38 were already in the list."."""
    new = _("%(number)d added to “%(list)s”") % {"number": added.new, "list": target_list.title}
    if not added.already:
        return new + "."
    already = ngettext(
        "%(number)d was already in the list.", "%(number)d were already in the list.", added.already
    ) % {"number": added.already}
    return f"{new}, {already}"
