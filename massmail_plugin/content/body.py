"""From the blocks of a template to one MJML document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from massmail_plugin.content.placeholders import Placeholders

_FOLDER = "massmail_plugin/content"


@dataclass(frozen=True, slots=True)
class Footer:
    """What a mailing adds at the end. Empty texts are left out."""

    postal_address: str = ""
    opt_out_url: str = ""
    preferences_url: str = ""


def document(
    blocks: Iterable[Any], placeholders: Placeholders, *, language: str, title: str, footer: Footer
) -> str:
    """Return the MJML of a mail. ``blocks`` are bound blocks whose definitions are ``MailBlock``."""
    context = {
        "language": language,
        "title": placeholders.protect(title),
        "sections": [mark_safe(section) for section in _sections(blocks, placeholders)],  # noqa: S308 - our own templates
        "footer": _footer(footer),
    }
    return render_to_string(f"{_FOLDER}/mail.mjml", context)


def _sections(blocks: Iterable[Any], placeholders: Placeholders) -> Iterable[str]:
    """Put neighbouring simple blocks into one section with one column."""
    context = {"placeholders": placeholders}
    for is_section, group in groupby(blocks, key=lambda bound: bound.block.is_section):
        rendered = [bound.render(context) for bound in group]
        if is_section:
            yield from rendered
        else:
            yield render_to_string(f"{_FOLDER}/section.mjml", {"items": rendered})


def _footer(footer: Footer) -> str:
    if footer == Footer():
        return ""
    context = {
        "postal_address": footer.postal_address.strip(),
        "opt_out_url": footer.opt_out_url,
        "preferences_url": footer.preferences_url,
    }
    return render_to_string(f"{_FOLDER}/footer.mjml", context)
