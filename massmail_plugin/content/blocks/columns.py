"""Two or three columns side by side; one below the other on a phone."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from massmail_plugin.content.blocks.base import MailBlock
from massmail_plugin.content.blocks.image import ImageBlock
from massmail_plugin.content.blocks.simple import ButtonBlock, HeadingBlock, TextBlock


class ColumnBlock(blocks.StreamBlock):
    """What may stand in one column."""

    heading = HeadingBlock()
    text = TextBlock()
    image = ImageBlock()
    button = ButtonBlock()

    class Meta:
        label = _("Column")


class ColumnsBlock(MailBlock, blocks.StructBlock):
    is_section = True

    columns = blocks.ListBlock(ColumnBlock(), label=_("Columns"), min_num=2, max_num=3)

    class Meta:
        icon = "grid"
        label = _("Columns")
        description = _("Two or three columns; one below the other on a phone.")
        template = "massmail_plugin/content/blocks/columns.mjml"
        preview_value = {
            "columns": [
                [{"type": "heading", "value": {"text": "For sales", "level": "3", "alignment": "left"}}],
                [{"type": "heading", "value": {"text": "For support", "level": "3", "alignment": "left"}}],
            ]
        }
