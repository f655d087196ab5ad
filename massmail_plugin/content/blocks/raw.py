"""MJML written by hand."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from massmail_plugin.content.blocks.base import MailBlock


class RawMjmlBlock(MailBlock, blocks.StructBlock):
    is_section = True

    source = blocks.TextBlock(
        label=_("MJML"),
        rows=10,
        max_length=200_000,
        help_text=_("One or more <mj-section> elements. Mistakes are shown in the preview, with their line."),
    )

    class Meta:
        icon = "code"
        label = _("Raw MJML")
        description = _("MJML written by hand, for what the other blocks cannot do.")
        template = "massmail_plugin/content/blocks/raw.mjml"
        preview_value = {
            "source": "<mj-section><mj-column><mj-text>Written by hand</mj-text></mj-column></mj-section>"
        }
