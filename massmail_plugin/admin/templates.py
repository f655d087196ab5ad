"""The screens for email templates."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.admin.ui.tables import LiveStatusTagColumn, UpdatedAtColumn
from wagtail.snippets.views.snippets import CopyView, SnippetViewSet

from massmail_plugin.admin.placeholders import PlaceholdersPanel
from massmail_plugin.content.lint import mistakes
from massmail_plugin.content.models import EmailTemplate


class CopyForm(CopyView):
    """The form for a copy, which is sent to the address for new templates.

    Sent to this address it would change the original (Wagtail 8.0), also for those who may only look at it.
    """

    http_method_names = ["get", "head", "options"]


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
    copy_view_class = CopyForm
    panels = [
        FieldPanel("name"),
        MultiFieldPanel([FieldPanel("subject"), FieldPanel("preheader")], heading=_("In the inbox")),
        PlaceholdersPanel(heading=_("Placeholders"), classname="collapsed"),
        FieldPanel("body"),
        FieldPanel("text"),
        FieldPanel("preview_as"),
    ]


@hooks.register("after_create_snippet")
@hooks.register("after_edit_snippet")
def say_mistakes(request: HttpRequest, instance: Any) -> None:
    """Tell whoever publishes a template what would stop a mailing with it, and not first on the day of sending."""
    if not isinstance(instance, EmailTemplate) or "action-publish" not in request.POST:
        return
    if found := mistakes(instance):
        sentence = gettext("“%(template)s” cannot be sent yet: %(mistakes)s")
        messages.warning(
            request, sentence % {"template": instance, "mistakes": " ".join(str(each) for each in found)}
        )
