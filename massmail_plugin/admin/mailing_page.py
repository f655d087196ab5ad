"""A mailing's own page. What changes while it runs is a fragment that the page fetches again and again."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.admin_url_finder import AdminURLFinder
from wagtail.admin.widgets.button import Button

from massmail_plugin.accounts.models import accounts_for
from massmail_plugin.admin import names
from massmail_plugin.admin.access import may
from massmail_plugin.admin.mailing_now import now, so_far
from massmail_plugin.admin.mailing_screens import MailingScreen
from massmail_plugin.admin.screens import OwnPage
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import DELETABLE, MailingState


class MailingPage(OwnPage):
    template_name = "massmail_plugin/admin/mailing_page.html"
    copy_url_name: str = ""

    def get_object(self, queryset: Any = None) -> Mailing:
        mailing: Mailing = super().get_object(queryset)
        return mailing

    def get_edit_url(self) -> str | None:
        return super().get_edit_url() if self.object.state == MailingState.DRAFT else None

    def get_delete_url(self) -> str | None:
        return super().get_delete_url() if self.object.state in DELETABLE else None

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons = super().header_more_buttons
        people = reverse(f"{names.MAILINGS}:people", args=(self.object.pk,))
        buttons.append(Button(_("Who gets it"), url=people, icon_name="group", priority=4))
        buttons.append(
            Button(
                _("Did somebody get it?"), url=reverse(f"{names.MAILINGS}:why"), icon_name="help", priority=4
            )
        )
        if self.copy_url_name and may(self.request.user, "add", Mailing):
            url = reverse(self.copy_url_name, args=(self.object.pk,))
            buttons.append(Button(_("Copy"), url=url, icon_name="copy", priority=5))
        return buttons

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mailing: Mailing = self.object
        return {
            **super().get_context_data(**kwargs),
            **now(mailing, self.permission_policy, self.request.user),
            **so_far(mailing, self.request.user),
            "is_whole": True,
            "progress_url": reverse(f"{names.MAILINGS}:progress", args=(mailing.pk,)),
            "campaign_url": names.own_page(names.CAMPAIGNS, mailing.campaign_id),
            "template_url": mailing.template
            and AdminURLFinder(self.request.user).get_edit_url(mailing.template),
            "accounts": list(accounts_for(mailing.owner_id)),
        }


class MailingProgress(MailingScreen):
    """The fragment; with ``?all=1`` also what changes slowly and costs more to count."""

    template_name = "massmail_plugin/admin/mailing_parts.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        is_whole = "all" in self.request.GET
        parts = now(self.object, self.permission_policy, self.request.user)
        return {
            **parts,
            **(so_far(self.object, self.request.user) if is_whole else {}),
            "is_whole": is_whole,
            "request": self.request,
        }
