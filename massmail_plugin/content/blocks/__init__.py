"""The blocks that a mail is built of. Each renders to MJML."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail.blocks import StreamBlock

from massmail_plugin.content.blocks.columns import ColumnsBlock
from massmail_plugin.content.blocks.image import ImageBlock
from massmail_plugin.content.blocks.raw import RawMjmlBlock
from massmail_plugin.content.blocks.simple import (
    ButtonBlock,
    DividerBlock,
    HeadingBlock,
    SpacerBlock,
    TextBlock,
)

__all__ = ["MailBodyBlock"]


class MailBodyBlock(StreamBlock):
    """The body of a mail, from top to bottom."""

    heading = HeadingBlock()
    text = TextBlock()
    image = ImageBlock()
    button = ButtonBlock()
    columns = ColumnsBlock()
    divider = DividerBlock()
    spacer = SpacerBlock()
    raw_mjml = RawMjmlBlock(group=_("For experts"))

    class Meta:
        required = False
