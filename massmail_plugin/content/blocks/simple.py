"""Blocks that stand in a column: heading, text, button, divider and spacer."""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.struct_block import BlockGroup
from wagtail.rich_text import expand_db_html

from massmail_plugin.content.blocks.base import Alignment, LinkBlock, MailBlock
from massmail_plugin.content.placeholders import Placeholders
from massmail_plugin.content.rich_text import with_inline_styles

#: What mail programs render alike everywhere.
RICH_TEXT_FEATURES = ["bold", "italic", "link", "ol", "ul"]

_HEADING_SIZES = {"1": "28px", "2": "22px", "3": "18px"}


class FormattedTextBlock(blocks.RichTextBlock):
    """Rich text whose input has a name for screen readers; Wagtail's own has none inside a block."""

    @cached_property
    def field(self) -> Any:
        field = super().field
        options = getattr(field.widget, "options", None)  # hosts may bring an editor without options
        if isinstance(options, dict):
            options["ariaLabel"] = self.label
        return field


class HeadingBlock(MailBlock, blocks.StructBlock):
    text = blocks.CharBlock(label=_("Heading"), max_length=255)
    level = blocks.ChoiceBlock(
        label=_("Size"), choices=[("1", _("Large")), ("2", _("Medium")), ("3", _("Small"))], default="1"
    )
    alignment = Alignment()

    class Meta:
        icon = "title"
        label = _("Heading")
        description = _("A title for the mail or for one of its parts.")
        template = "massmail_plugin/content/blocks/heading.mjml"
        form_layout = BlockGroup(children=["text"], settings=["level", "alignment"])
        preview_value = {"text": "Our new service is here", "level": "1", "alignment": "left"}

    def get_fields(self, value: Any, placeholders: Placeholders) -> dict[str, Any]:
        return {**super().get_fields(value, placeholders), "size": _HEADING_SIZES[value["level"]]}


class TextBlock(MailBlock, blocks.StructBlock):
    text = FormattedTextBlock(
        label=_("Text"),
        features=RICH_TEXT_FEATURES,
        help_text=_(
            'Placeholders: {{ contact.first_name | default: "there" }}. To make words link to one, choose '
            "“Anchor link” and type its name, for example unsubscribe_url."
        ),
    )
    alignment = Alignment()

    class Meta:
        icon = "pilcrow"
        label = _("Text")
        description = _("Paragraphs and lists.")
        template = "massmail_plugin/content/blocks/text.mjml"
        form_layout = BlockGroup(children=["text"], settings=["alignment"])
        preview_value = {
            "text": "<p>You asked us for <b>faster answers</b>. Here is what has changed.</p>",
            "alignment": "left",
        }

    def get_fields(self, value: Any, placeholders: Placeholders) -> dict[str, Any]:
        markup = with_inline_styles(expand_db_html(value["text"].source))
        # Wagtail has reduced the HTML to the features above when it was saved.
        text = mark_safe(placeholders.protect_html(markup))  # noqa: S308
        return {**super().get_fields(value, placeholders), "text": text}


class ButtonBlock(MailBlock, blocks.StructBlock):
    label = blocks.CharBlock(label=_("Label"), max_length=100)
    link = LinkBlock()
    alignment = Alignment()

    class Meta:
        icon = "link"
        label = _("Button")
        description = _("A link that nobody overlooks.")
        template = "massmail_plugin/content/blocks/button.mjml"
        form_layout = BlockGroup(children=["label", "link"], settings=["alignment"])
        preview_value = {"label": "Book a demo", "link": "https://example.com/", "alignment": "left"}


class DividerBlock(MailBlock, blocks.StaticBlock):
    class Meta:
        icon = "minus"
        label = _("Divider")
        description = _("A thin line between two parts.")
        template = "massmail_plugin/content/blocks/divider.mjml"
        admin_text = _("A thin line.")


class SpacerBlock(MailBlock, blocks.StructBlock):
    height = blocks.ChoiceBlock(
        label=_("Height"), choices=[("8", _("Small")), ("24", _("Medium")), ("48", _("Large"))], default="24"
    )

    class Meta:
        icon = "order"
        label = _("Spacer")
        description = _("Empty room between two parts.")
        template = "massmail_plugin/content/blocks/spacer.mjml"
        preview_value = {"height": "24"}
