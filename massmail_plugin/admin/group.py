"""The entry "Mailings" in the main menu, with everything of ours below it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail.admin.viewsets.base import ViewSetGroup

from massmail_plugin.admin.accounts import SenderAccountViewSet
from massmail_plugin.admin.addresses import EmailAddressViewSet
from massmail_plugin.admin.campaigns import CampaignViewSet
from massmail_plugin.admin.mailings import MailingViewSet
from massmail_plugin.admin.segments.viewset import SegmentViewSet
from massmail_plugin.admin.sending import SendingViewSet
from massmail_plugin.admin.subscribers.viewset import SubscriberViewSet
from massmail_plugin.admin.target_lists.viewset import TargetListViewSet
from massmail_plugin.admin.templates import EmailTemplateViewSet


class MassmailGroup(ViewSetGroup):
    menu_label = _("Mailings")
    menu_name = "massmail"
    menu_icon = "mail"
    menu_order = 250
    #: Hosts add their own entries below ours with this hook.
    submenu_hook = "register_massmail_menu_item"
    items = (
        CampaignViewSet,
        MailingViewSet,
        EmailTemplateViewSet,
        TargetListViewSet,
        SegmentViewSet,
        SubscriberViewSet,
        SenderAccountViewSet,
        EmailAddressViewSet,
        SendingViewSet,
    )
