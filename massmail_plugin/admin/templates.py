"""The screens for email templates."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.admin.ui.tables import LiveStatusTagColumn, UpdatedAtColumn
from wagtail.snippets.views.snippets import SnippetViewSet

from massmail_plugin.content.models import EmailTemplate


class EmailTemplateViewSet(SnippetViewSet):
    """Mails that can be sent; edited with drafts, workflow and a live preview."""

    model = EmailTemplate
    icon = "mail"
    base_url_path = "massmail/templates"
    menu_label = _("Templates")
    menu_name = "massmail-templates"
    # The entry in our own menu group takes the place of one under "Snippets".
    menu_item_is_registered = True
    list_display = ["name", "subject", LiveStatusTagColumn(), UpdatedAtColumn()]
    list_filter = ["live"]
    search_fields = ["name", "subject"]
    copy_view_enabled = True
    panels = [
        FieldPanel("name"),
        MultiFieldPanel([FieldPanel("subject"), FieldPanel("preheader")], heading=_("In the inbox")),
        FieldPanel("body"),
        FieldPanel("text"),
        FieldPanel("preview_as"),
    ]
