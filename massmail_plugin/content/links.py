"""Where the links of a mail may lead."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

#: Schemes that a mail may link to. Anything else, above all ``javascript:`` and ``data:``, is refused.
SCHEMES = ("https://", "http://", "mailto:", "tel:")

_LINK = re.compile(r"(?:https?://[^\s/?#]|mailto:[^\s]|tel:[^\s]|\{\{[^{}]+\}\}$)", re.IGNORECASE)
_PLACEHOLDERS = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}")


def validate_link(value: str) -> None:
    """Refuse what is neither a web, mail or phone link nor one placeholder. Raises ``ValidationError``."""
    # Blanks belong to placeholders only; a control character in a scheme is how filters are fooled.
    literal = _PLACEHOLDERS.sub("", value)
    if not _LINK.match(value) or re.search(r"[\s\x00-\x1f\x7f]", literal):
        raise ValidationError(
            _(
                "Enter a link that starts with https://, http://, mailto: or tel:, or a placeholder such as {example}."
            ).format(example="{{ unsubscribe_url }}"),
            code="link",
        )
