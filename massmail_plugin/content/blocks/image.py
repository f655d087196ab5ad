"""An image in a mail."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.struct_block import BlockGroup, StructBlockValidationError
from wagtail.images.blocks import ImageChooserBlock

from massmail_plugin.content.blocks.base import Alignment, LinkBlock, MailBlock
from massmail_plugin.content.placeholders import Placeholders

#: Pixels. Files are twice as wide as the room in the mail, for sharp screens.
_FULL_WIDTH = 536


class ImageBlock(MailBlock, blocks.StructBlock):
    image = ImageChooserBlock(label=_("Image"))
    alt = blocks.CharBlock(
        label=_("Text instead of the image"),
        required=False,
        max_length=255,
        help_text=_("Read aloud, and shown while images are blocked."),
    )
    decorative = blocks.BooleanBlock(
        label=_("Only decoration"),
        required=False,
        help_text=_("The mail says everything without this image."),
    )
    link = LinkBlock(required=False)
    alignment = Alignment(default="center")

    class Meta:
        icon = "image"
        label = _("Image")
        description = _("A picture from the image library.")
        template = "massmail_plugin/content/blocks/image.mjml"
        form_layout = BlockGroup(children=["image", "alt", "decorative"], settings=["link", "alignment"])

    # Without an image there is nothing to show in the block picker.
    is_previewable = False

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if not cleaned["alt"].strip() and not cleaned["decorative"]:
            message = _("Say what the image shows, or tick “Only decoration”.")
            raise StructBlockValidationError({"alt": ValidationError(message, code="alt")})
        return cleaned

    def get_fields(self, value: Any, placeholders: Placeholders) -> dict[str, Any]:
        fields = super().get_fields(value, placeholders)
        image = value["image"]
        if image is None:  # deleted from the library since
            return fields
        rendition = image.get_rendition("preserve-svg" if image.is_svg() else f"max-{2 * _FULL_WIDTH}x4000")
        return {
            **fields,
            "src": rendition.url,
            "alt": "" if value["decorative"] else fields["alt"],
            "width": min(rendition.width, _FULL_WIDTH),
            # Fills a phone's width even from a narrow column; a logo stays small.
            "is_wide": rendition.width >= _FULL_WIDTH // 2,
        }
