"""From a template to a mail that is ready to be personalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from massmail_plugin.content.compiled import CompiledContent

if TYPE_CHECKING:
    from massmail_plugin.content.models import EmailTemplate


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """What a mailing adds to its template."""

    #: Append an opt-out section when the template has no ``{{ unsubscribe_url }}``.
    opt_out_link: bool = True
    track_clicks: bool = False
    track_opens: bool = False
    #: The sender's postal address for the opt-out section.
    postal_address: str = ""
    #: Makes relative links and images absolute, for example "https://crm.example.com".
    base_url: str = ""


def compile_template(template: EmailTemplate, options: CompileOptions) -> CompiledContent:
    """Return the compiled mail. Raises :class:`ContentError`, with every problem found."""
    raise NotImplementedError


def compile_block(block: Any, value: Any) -> str:
    """Return the HTML of one block, for the block picker."""
    raise NotImplementedError
