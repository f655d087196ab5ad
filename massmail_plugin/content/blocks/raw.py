"""MJML written by hand."""

from __future__ import annotations

from typing import Any

from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from massmail_plugin.content.blocks.base import MailBlock
from massmail_plugin.content.mjml.check import Checker
from massmail_plugin.content.mjml.repair import repair
from massmail_plugin.content.placeholders import Placeholders


class RawMjmlBlock(MailBlock, blocks.StructBlock):
    is_section = True

    source = blocks.TextBlock(
        label=_("MJML"),
        rows=10,
        max_length=200_000,
        help_text=_("One or more mj-section elements. The preview shows mistakes with their line."),
    )

    class Meta:
        icon = "code"
        label = _("Raw MJML")
        description = _("MJML written by hand, for what the other blocks cannot do.")
        template = "massmail_plugin/content/blocks/raw.mjml"
        preview_value = {
            "source": "<mj-section><mj-column><mj-text>Written by hand</mj-text></mj-column></mj-section>"
        }

    def get_fields(self, value: Any, placeholders: Placeholders) -> dict[str, Any]:
        """Return the source repaired for the compiler, or nothing while it has mistakes."""
        source = protected_source(value, placeholders)
        is_sound = not Checker("", source, placeholders).check()
        return {"source": mark_safe(repair(source)) if is_sound else ""}  # noqa: S308 - checked MJML


def protected_source(value: Any, placeholders: Placeholders) -> str:
    """Return the block's MJML with LF line ends, as mrml needs them, and tokens for its placeholders."""
    return placeholders.protect(value["source"].replace("\r\n", "\n").replace("\r", "\n"))
