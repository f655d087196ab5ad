"""What all blocks of a mail share."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from massmail_plugin.content.links import validate_link
from massmail_plugin.content.placeholders import Placeholders


class Alignment(blocks.ChoiceBlock):
    """Left, centre or right."""

    choices = [("left", _("Left")), ("center", _("Centre")), ("right", _("Right"))]

    def __init__(self, **kwargs: Any) -> None:
        # Not in Meta: a ChoiceBlock takes its default from the constructor only.
        super().__init__(**{"default": "left", "label": _("Alignment"), **kwargs})


class LinkBlock(blocks.CharBlock):
    """A web, mail or phone link, or a placeholder that becomes one."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Link"))
        kwargs.setdefault("max_length", 2000)
        kwargs.setdefault(
            "help_text", _("https://…, mailto:…, tel:… or a placeholder such as {{ tracking.demo }}.")
        )
        super().__init__(validators=[validate_link], **kwargs)


class MailBlock(blocks.Block):
    """Mixin: a block that ``content.compiler`` turns into MJML with the block's own template.

    Templates get ``fields``: the block's values, escaped by the template as usual, with the placeholders of
    the merge language replaced by tokens so that nothing on the way can change them.
    """

    #: Section-level blocks stand in the mail by themselves; the others are put into a column.
    is_section = False

    def get_context(self, value: Any, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context)
        placeholders: Placeholders = context["placeholders"]
        return {**context, "fields": self.get_fields(value, placeholders)}

    def get_fields(self, value: Any, placeholders: Placeholders) -> dict[str, Any]:
        """Return what the block's template may show."""
        return {
            name: placeholders.protect(item) if isinstance(item, str) else item
            for name, item in (value or {}).items()
        }

    def get_preview_template(self, value: Any = None, context: Any = None) -> str:
        return "massmail_plugin/content/block_preview.html"

    def get_preview_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        # The compiler knows the blocks.
        from massmail_plugin.content.compiler import compile_block

        return {**super().get_preview_context(value, parent_context), "mail_html": compile_block(self, value)}
