"""Everything that an editor has written in a template, with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from wagtail.rich_text import RichText

from massmail_plugin.content.rich_text import visible_text

if TYPE_CHECKING:
    from massmail_plugin.content.models import EmailTemplate


@dataclass(frozen=True, slots=True)
class Field:
    """One text. ``where`` says to the editor where it stands: "Block 3: Raw MJML"."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """One block of the body, also inside columns."""

    where: str
    block: Any
    value: Any


def all_fields(template: EmailTemplate) -> Iterator[Field]:
    """Yield every text of the template in reading order."""
    yield Field(_("Subject"), template.subject)
    yield Field(_("Preview line"), template.preheader)
    for placed in placed_blocks(template.body):
        yield from _block_fields(placed)
    yield Field(_("Text part"), template.text)


def placed_blocks(body: Any) -> Iterator[PlacedBlock]:
    """Yield every block that holds content, in reading order."""
    for number, child in enumerate(body, start=1):
        where = _("Block {number}: {label}").format(number=number, label=child.block.label)
        if child.block_type == "columns":
            yield from _in_columns(where, child.value["columns"])
        else:
            yield PlacedBlock(where, child.block, child.value)


def _in_columns(where: str, columns: Any) -> Iterator[PlacedBlock]:
    for number, column in enumerate(columns, start=1):
        for child in column:
            place = _("{where}, column {number}: {label}").format(
                where=where, number=number, label=child.block.label
            )
            yield PlacedBlock(place, child.block, child.value)


def _block_fields(placed: PlacedBlock) -> Iterator[Field]:
    if not isinstance(placed.value, dict):  # a divider has nothing to say
        return
    for item in placed.value.values():
        if isinstance(item, str | RichText):
            yield Field(placed.where, _as_text(item))


def _as_text(item: str | RichText) -> str:
    text = visible_text(item.source) if isinstance(item, RichText) else item
    return text.replace("\r\n", "\n").replace("\r", "\n")
