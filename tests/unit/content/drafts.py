"""Templates that exist in memory only."""

from __future__ import annotations

from typing import Any

from massmail_plugin.content.compiled import CompiledContent, RenderedMail, Renderer
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.content.models import EmailTemplate

Block = tuple[str, Any]

BARE = CompileOptions(opt_out_link=False)


def heading(text: str) -> Block:
    return "heading", {"text": text, "level": "1", "alignment": "left"}


def text(html: str) -> Block:
    return "text", {"text": html, "alignment": "left"}


def button(label: str, link: str) -> Block:
    return "button", {"label": label, "link": link, "alignment": "left"}


def raw(mjml: str) -> Block:
    return "raw_mjml", {"source": mjml}


def raw_text(html: str) -> Block:
    """Return raw MJML with ``html`` in its one text element, on the first line."""
    return raw(f"<mj-section><mj-column><mj-text>{html}</mj-text></mj-column></mj-section>")


def draft(*blocks: Block, **fields: Any) -> EmailTemplate:
    """Return an unsaved template with these blocks."""
    template = EmailTemplate(**{"name": "Draft", "subject": "News", "preheader": "What is new", **fields})
    stream = EmailTemplate._meta.get_field("body").stream_block
    template.body = stream.to_python([{"type": name, "value": value} for name, value in blocks])
    return template


def compiled(*blocks: Block, options: CompileOptions = BARE, **fields: Any) -> CompiledContent:
    """Return the compiled content of a template with these blocks; without opt-out link unless asked for."""
    return compile_template(draft(*blocks, **fields), options)


def rendered(
    *blocks: Block, options: CompileOptions = BARE, variables: dict[str, Any], **fields: Any
) -> RenderedMail:
    """Return one person's mail."""
    return Renderer(compiled(*blocks, options=options, **fields)).render(variables)
