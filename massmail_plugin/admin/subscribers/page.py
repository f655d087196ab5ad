"""A subscriber's own page: how they stand, and which lists they are in."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from wagtail.admin.widgets.button import Button

from massmail_plugin.admin import names
from massmail_plugin.admin.access import may
from massmail_plugin.admin.screens import OwnPage
from massmail_plugin.admin.subscribers.facts import Facts, facts_of
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.recipients.models import EmailAddress


class SubscriberPage(OwnPage):
    template_name = "massmail_plugin/subscribers/page.html"

    @cached_property
    def facts(self) -> Facts:
        return facts_of([self.object], self.request.user)[self.object.pk]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "subscriber": self.object,
            "facts": self.facts,
            "lists": self._lists(),
            "address_url": self._address_url(),
            "why_url": f"{reverse(f'{names.MAILINGS}:why')}?{urlencode({'q': self.object.email})}",
        }

    def _lists(self) -> list[dict[str, Any]]:
        address = self.facts.address
        left = {opt_out.scope for opt_out in address.list_opt_outs.all()} if address else set()
        return [
            {
                "title": page.title,
                "url": url_to("members", page.pk),
                "is_left": page.consent_scope.key in left,
            }
            for page in self.facts.lists
        ]

    def _address_url(self) -> str:
        address = self.facts.address
        if address is None or not may(self.request.user, "view", EmailAddress):
            return ""
        return names.own_page(names.ADDRESSES, address.pk)

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons: list[Any] = super().header_more_buttons
        if may(self.request.user, "erase", EmailAddress):
            buttons.append(Button(_("Erase"), url=self._erase_url(), icon_name="bin", priority=100))
        return buttons

    def _erase_url(self) -> str:
        address = self.facts.address
        if address is not None:
            return reverse(f"{names.ADDRESSES}:erase", args=(address.pk,))
        asked = urlencode({"address": self.object.email})
        return f"{reverse(f'{names.ADDRESSES}:erase_somebody')}?{asked}"
