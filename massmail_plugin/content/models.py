"""What is mailed: templates, edited as Wagtail snippets."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.contenttypes.fields import GenericRelation
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.fields import StreamField
from wagtail.models import (
    DraftStateMixin,
    LockableMixin,
    PreviewableMixin,
    RevisionMixin,
    TranslatableMixin,
    WorkflowMixin,
)

from massmail_plugin.content import preview
from massmail_plugin.content.blocks import MailBodyBlock
from massmail_plugin.content.forms import EmailTemplateForm


class EmailTemplate(
    WorkflowMixin,
    DraftStateMixin,
    LockableMixin,
    RevisionMixin,
    TranslatableMixin,
    PreviewableMixin,
    models.Model,
):
    """A mail before it is addressed to anybody. Mailings freeze a copy when they start."""

    name = models.CharField(
        _("name"), max_length=150, help_text=_("For you and your colleagues; recipients do not see it.")
    )
    subject = models.CharField(
        _("subject"),
        max_length=250,
        blank=True,
        help_text=_('Placeholders work here too: {{ contact.first_name | default: "there" }}.'),
    )
    preheader = models.CharField(
        _("preview line"),
        max_length=200,
        blank=True,
        help_text=_("Shown after the subject in the inbox. 40 to 130 characters are best."),
    )
    body = StreamField(MailBodyBlock(), verbose_name=_("body"), blank=True)
    text = models.TextField(
        _("text part"),
        blank=True,
        help_text=_("For mail programs that show no HTML. Leave empty to have it made from the body."),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
        verbose_name=_("owner"),
    )

    _revisions = GenericRelation("wagtailcore.Revision", related_query_name="email_template")
    _workflow_states = GenericRelation(
        "wagtailcore.WorkflowState",
        content_type_field="base_content_type",
        object_id_field="object_id",
        related_query_name="email_template",
        for_concrete_model=False,
    )

    base_form_class = EmailTemplateForm
    #: Whom the preview shows the mail as: a part of a name or address. Set by the form, never stored.
    preview_as = ""

    # Drafts are saved by themselves while somebody types; only the name must be there, lists show it.
    name.required_on_save = True  # type: ignore[attr-defined]

    class Meta(TranslatableMixin.Meta):
        verbose_name = _("email template")
        verbose_name_plural = _("email templates")
        ordering = ["name"]
        # Wagtail adds the last three only once the admin's viewsets are loaded, which migrating need not do.
        default_permissions = ("add", "change", "delete", "view", "publish", "lock", "unlock")

    def __str__(self) -> str:
        return self.name

    @property
    def revisions(self) -> Any:
        return self._revisions

    @cached_property
    def preview_modes(self) -> list[tuple[str, Any]]:
        return preview.preview_modes()

    @property
    def default_preview_mode(self) -> str:
        return preview.VIEWS[0][0]

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        return preview.serve(self, request, mode_name)
