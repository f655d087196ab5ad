"""Mistakes in placeholders, field by field, in words for editors."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from massmail_plugin.content import language
from massmail_plugin.content.fields import Field
from massmail_plugin.content.problems import Problem, at_offset

_UNEXPECTED_TAG = re.compile(r"unexpected tag '(.*)'")
_MISSING_END = re.compile(r"expected tag '?(\w+)'?")


def check_field(field: Field) -> list[Problem]:
    """Return what is wrong with the placeholders of one field; every field must be complete in itself."""
    try:
        template = language.parse(field.text, escape=False)
    except language.LiquidError as error:
        offset = (
            error.token.start_index
            if error.token and error.token.start_index >= 0
            else _last_brace(field.text)
        )
        return [at_offset(field.where, _message(str(error.message)), field.text, offset)]
    unknown = [used for used in language.inspect(template).filters if used[0] not in language.FILTER_NAMES]
    return [at_offset(field.where, _unknown_filter(name), field.text, offset) for name, offset in unknown]


def _message(message: str) -> str:
    if found := _UNEXPECTED_TAG.match(message):
        if found[1] in language.TAG_NAMES:
            return _("“{name}” stands here without its beginning.").format(name=found[1])
        return _("“{name}” is not available. Use if, unless or case.").format(name=found[1])
    if found := _MISSING_END.match(message):
        return _("{tag} is missing.").format(tag="{% " + found[1] + " %}")
    if "expected '}}'" in message or "expected '%}'" in message:
        return _("This placeholder is not closed.")
    return _("This placeholder cannot be read ({reason}).").format(reason=message)


def _unknown_filter(name: str) -> str:
    return _("There is no filter “{name}”. Available: {names}.").format(
        name=name, names=", ".join(sorted(language.FILTER_NAMES - {"safe_link"}))
    )


def _last_brace(text: str) -> int:
    return max(text.rfind("{{"), text.rfind("{%"), 0)
