"""Columns of our listings."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import ngettext
from wagtail.admin.ui.tables import Column

from massmail_plugin.mailings.states import DeliveryState, MailingState


class LinkColumn(Column):
    """A related object that leads to its own page."""

    cell_template_name = "massmail_plugin/admin/columns/link.html"

    def __init__(self, name: str, *, url_name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.url_name = url_name

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        target = self.get_value(instance)
        context["url"] = reverse(self.url_name, args=(target.pk,)) if target else ""
        return context


class AddressColumn(Column):
    """A delivery's address; it leads to the address's own page where the user may look at that."""

    cell_template_name = "massmail_plugin/admin/columns/link.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["url"] = instance.address_url
        return context


class MomentColumn(Column):
    """A time in full: Wagtail's "... ago" calls everything that is still to come "just now"."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, classname="massmail-moment", **kwargs)

    def get_value(self, instance: Any) -> str:
        moment = super().get_value(instance)
        return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT") if moment else ""


class ProgressColumn(Column):
    """How far a mailing has come: a bar, and the same in text."""

    cell_template_name = "massmail_plugin/admin/columns/progress.html"


class StateColumn(Column):
    """A state as a tag; those that need somebody stand out, and below stands why."""

    cell_template_name = "massmail_plugin/admin/columns/state.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["classname"] = state_class(instance.state)
        context["notice"] = Truncator(getattr(instance, "notice", "") or _doubts(instance)).chars(90)
        return context


def _doubts(instance: Any) -> str:
    """Return how many mails of a mailing wait for somebody's decision; nothing for what has no progress."""
    progress = getattr(instance, "progress", None)
    number = progress.states[DeliveryState.IN_DOUBT] if progress else 0
    if not number:
        return ""
    return ngettext("%(number)d mail in doubt", "%(number)d mails in doubt", number) % {"number": number}


#: How a state looks: running, needs somebody, over.
_STATE_CLASSES = {
    MailingState.PENDING: "w-status--primary",
    MailingState.ACTIVE: "w-status--primary",
    MailingState.ACTIVE_ERROR: "massmail-status--warning",
    MailingState.INTERRUPTED: "massmail-status--critical",
    MailingState.DONE: "massmail-status--positive",
    "ready": "massmail-status--positive",
    "faulty": "massmail-status--critical",
}


def state_class(state: str) -> str:
    """Return the CSS class for the tag of a state."""
    return _STATE_CLASSES.get(state, "")
